"""Scoring a labelled file with a model, to see how good the model is on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.calibrate import calibrate
from nocturna.tasks.evaluation.described import values_of_job, values_of_options, variant
from nocturna.tasks.evaluation.evaluated import Corpus, Counts, Evaluated, answered_rows, evaluated
from nocturna.tasks.evaluation.judged import Judged, judged
from nocturna.tasks.evaluation.labelled import Labelled, kept_rows, read_labelled
from nocturna.tasks.inference.planned import InferencePlan, plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import make_job

_WHERE = "nocturna evaluate"


def evaluate_file(
    path: str,
    task: str,
    *,
    text: str = "text",
    gold: str = "label",
    model: str | None = None,
    labels: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    job_values: Mapping[str, Any] | None = None,
    fit: bool = False,
    against: Sequence[str] = (),
    corpus: Corpus | None = None,
    seed: int = 0,
) -> tuple[Evaluated, Judged, tuple[Judged, ...]]:
    """Score every labelled row of a file and compare with its gold labels.

    Args:
        path: a file, folder, glob or URI that a job could read.
        task: name of the score; with ``labels`` it is zero-shot.
        text: column of the text.
        gold: column of the gold label.
        model: Hub name or local folder; the bundled model if none.
        labels: candidate labels of a zero-shot task.
        names: gold label to model label, as ``parse_map`` gives it.
        options: further keys of the score, such as ``{"template": "..."}``.
        job_values: of a job whose score it is; then neither model nor labels nor options.
        fit: whether to fit a calibration too; the scores are then the raw ones.
        against: other ways to compute the score, as ``variant`` takes them.
        corpus: one whose shares are to be corrected.
        seed: of the draws that intervals are from.

    Returns:
        the measures, what the model said of each row, and what the others said.

    Raises:
        UsageError: the file, a column, the model or a gold label is not there or does not fit.
    """
    if job_values is None:
        values = values_of_options(path, task, text, gold, model, labels, options or {})
    else:
        values = values_of_job(job_values, path, task, text, gold, fit)
    job = make_job(values, _WHERE)
    ways = [make_job(variant(values, task, said), f"--against {said}") for said in against]
    plans = [_planned(way) for way in (job, *ways)]
    labelled = read_labelled(job.source, gold)
    plans = [plan_inference(way) for way in (job, *ways)]
    part = plans[0].scores[0]
    if corpus is not None:
        check_labels(part.labels, corpus.counts)
    kept = kept_rows(labelled.named(names or {}, part.labels))
    called = (part.model.label, *against)
    first, *others = (
        _judged(name, way, plan, labelled, kept, names or {})
        for name, way, plan in zip(called, (job, *ways), plans, strict=True)
    )
    fitted = calibrate(first.gold, first.scores, part.labels, part.sums_to_one) if fit else None
    found = evaluated(
        labelled,
        first,
        file=job.source.place,
        task=task,
        covered=labelled.design(kept, answered_rows(labelled))[1],
        others=others,
        counts=corpus.counts if corpus else None,
        other_way=corpus is not None and not corpus.is_scored_by(part),
        calibrated=fitted,
        seed=seed,
    )
    return found, first, tuple(others)


def check_labels(labels: Sequence[str], counts: Counts) -> None:
    """Refuses a corpus that has been given other labels than those that are evaluated."""
    odd = next((label for label in counts if label is not None and label not in labels), None)
    if odd is not None:
        raise UsageError(
            f"--published: its rows have the label {odd!r}, which is none of those that are "
            f"evaluated ({', '.join(labels)})"
        )


def _planned(job: Job) -> InferencePlan:
    """A plan as far as configurations tell: what it lacks is said before anything is read."""
    plan = plan_inference(job, examined=False)
    if not plan.scores[0].labels:
        raise UsageError(
            f"model {plan.scores[0].model.name}: gives no labels to compare with gold ones"
        )
    return plan


def _judged(
    name: str,
    job: Job,
    plan: InferencePlan,
    labelled: Labelled,
    kept: NDArray[np.int64],
    names: Mapping[str, str],
) -> Judged:
    part = plan.scores[0]
    documents = labelled.documents.take(kept)
    texts = documents["text"].to_pylist()
    scores = score_texts(plan, texts, running(job.compute, plan.precision))
    named = labelled.named(names, part.labels)
    return judged(
        name,
        part.labels,
        [named[at] for at in kept],
        scores.by_name[part.name].values,
        labelled.design(kept, answered_rows(labelled))[0],
        languages_of(texts),
        scores.n_tokens,
        documents,
        part.threshold,
    )
