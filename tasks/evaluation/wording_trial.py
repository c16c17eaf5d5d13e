"""Some texts scored with several wordings of labels side by side: `nocturna labels try`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.corpus.sampling import read_sample
from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.design import evenly
from nocturna.tasks.evaluation.gold import LEFT_OUT, map_labels
from nocturna.tasks.evaluation.judged import Judged, judged
from nocturna.tasks.evaluation.kappa import kappa
from nocturna.tasks.evaluation.ways import Way, way_of
from nocturna.tasks.inference.planned import InferencePlan, plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import make_job

_WHERE = "nocturna labels try"


@dataclass(frozen=True)
class WordingTrial:
    """Ways to word labels, on the same texts.

    Attributes:
        texts: that were scored.
        unreadable: of the rows that were drawn, those without a text.
        gold: texts with a gold label.
        kappas: Cohen's kappa of every two ways, labels of a later way standing for those of the
            first one.
        differing: texts to which not all ways give the same label.
    """

    corpus: str
    model: str
    kind: str
    texts: int
    unreadable: int
    gold: int
    ways: tuple[Way, ...]
    kappas: tuple[tuple[float, ...], ...]
    differing: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def try_wordings(
    source: Mapping[str, Any],
    wordings: Sequence[Any],
    templates: Sequence[str],
    options: Mapping[str, Any],
    *,
    language: str = "es",
    rows: int = 200,
    seed: int = 0,
    gold: str | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[WordingTrial, pa.Table]:
    """Scores some texts of a corpus with every wording in every template.

    Args:
        source: of a job.
        wordings: labels as a job has them, each a list or a mapping of labels to their wordings.
        templates: with {} for the label; the one of the kind if none.
        options: further keys of the score, such as `model` and `kind`.
        rows: how many are drawn.
        gold: column of the gold label.
        names: gold label to label of the first wording; to nothing, to leave its rows out.

    Returns:
        what was found, and the texts that differ, those that the ways are surest about first: id,
        place, `way_1` and up, gold and text.

    Raises:
        UsageError: a wording, the model or the corpus is not there or does not fit.
    """
    ways = [(worded, template) for worded in wordings for template in (templates or (None,))]
    job = _job(source, ways, options, language, gold)
    plan = plan_inference(job, examined=False)
    table, unreadable = read_sample(job.source, rows, seed)
    if not table.num_rows:
        raise UsageError(f"{job.source.place}: none of the {unreadable} rows drawn has a text")
    plan = plan_inference(job)
    texts = table["text"].to_pylist()
    run = running(job.compute, plan.precision)
    scored = score_texts(plan, texts, run)
    first = plan.scores[0]
    values = [np.nan_to_num(scored.by_name[part.name].values) for part in plan.scores]
    called = [_called(part, first, v) for part, v in zip(plan.scores, values, strict=True)]
    rated = _rated(plan, values, table, gold, names or {}, scored.n_tokens)
    found = WordingTrial(
        corpus=job.source.place,
        model=first.model.label,
        kind=first.kind,
        texts=len(texts),
        unreadable=unreadable,
        gold=len(rated[0].truth) if rated else 0,
        ways=tuple(
            way_of(number, part, values[number], run, rated)
            for number, part in enumerate(plan.scores)
        ),
        kappas=tuple(tuple(kappa(a, b) for b in called) for a in called),
        differing=len({at for at in range(len(texts)) if len({c[at] for c in called}) > 1}),
    )
    return found, _differing(table, plan, values, called, gold)


def same_labels(first: Sequence[str], other: Sequence[str]) -> dict[str, str]:
    """Which label of the first list each label of another one stands for.

    Equal ones stand for each other; what is left, where both lists are as long, in its order; else
    a label stands for itself.

    >>> same_labels(["política", "economía"], ["economía y empresas", "política"])
    {'economía y empresas': 'economía', 'política': 'política'}
    """
    left = [label for label in first if label not in other]
    odd = [label for label in other if label not in first]
    pairs = dict(zip(odd, left, strict=True)) if len(left) == len(odd) else {}
    return {label: pairs.get(label, label) for label in other}


def _job(
    source: Mapping[str, Any],
    ways: Sequence[tuple[Any, str | None]],
    options: Mapping[str, Any],
    language: str,
    gold: str | None,
) -> Job:
    scores = {
        f"way_{number}": {
            "labels": worded,
            **({"template": template} if template else {}),
            **options,
        }
        for number, (worded, template) in enumerate(ways, 1)
    }
    kept = {"keep": (gold,)} if gold else {}
    values = {"name": "labels", "language": language, "source": {**source, **kept}}
    return make_job({**values, "scores": scores}, _WHERE)


def _called(part: ScorePlan, first: ScorePlan, values: NDArray[np.float32]) -> list[str]:
    """The label of each text, in the words of the first way."""
    same = same_labels(first.labels, part.labels)
    return [same[part.labels[at]] for at in values.argmax(axis=1)]


def _rated(
    plan: InferencePlan,
    values: Sequence[NDArray[np.float32]],
    table: pa.Table,
    gold: str | None,
    names: Mapping[str, str],
    n_tokens: NDArray[np.int64],
) -> list[Judged]:
    """Each way on the texts that have a gold label; none where no text has."""
    if gold is None:
        return []
    first = plan.scores[0].labels
    given = ["" if g is None else g.strip() for g in table[kept_name(gold)].to_pylist()]
    named = map_labels(given, names, first)
    kept = np.array([at for at, label in enumerate(named) if label != LEFT_OUT], dtype=np.int64)
    documents = table.take(kept)
    languages = languages_of(documents["text"].to_pylist())
    found: list[Judged] = []
    for part, scores in zip(plan.scores, values, strict=True):
        words = {label: own for own, label in same_labels(first, part.labels).items()}
        right = [words.get(named[at], named[at]) for at in kept]
        rows = (scores[kept], evenly(len(kept)), languages, n_tokens[kept], documents)
        found.append(judged(f"way {len(found) + 1}", part.labels, right, *rows))
    return found


def _differing(
    table: pa.Table,
    plan: InferencePlan,
    values: Sequence[NDArray[np.float32]],
    called: Sequence[Sequence[str]],
    gold: str | None,
) -> pa.Table:
    rows = [at for at in range(table.num_rows) if len({c[at] for c in called}) > 1]
    sure = np.min([v.max(axis=1) for v in values], axis=0)
    rows.sort(key=lambda at: -sure[at])
    chosen = table.take(pa.array(rows, pa.int64()))
    columns = {name: chosen[name] for name in ("doc_id", "source_uri", "source_row")}
    for part, v in zip(plan.scores, values, strict=True):
        labels = [part.labels[v[at].argmax()] for at in rows]
        columns[part.name] = pa.array(labels, pa.string())
        columns[f"{part.name}_score"] = pa.array([float(v[at].max()) for at in rows], pa.float32())
    if gold:
        columns["gold"] = chosen[kept_name(gold)]
    return pa.table({**columns, "text": chosen["text"]})
