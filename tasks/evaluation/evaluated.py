"""How good a classifier is on labelled rows: everything that is said of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.evaluation.agreement import Evaluation, evaluate_labels
from nocturna.tasks.evaluation.calibrate import Calibrated
from nocturna.tasks.evaluation.intervals import Group, Intervals, groups, intervals
from nocturna.tasks.evaluation.judged import Judged
from nocturna.tasks.evaluation.labelled import Labelled
from nocturna.tasks.evaluation.pairing import Pairing, pairing
from nocturna.tasks.evaluation.prevalence import Prevalence, adjusted_shares, sampled_shares
from nocturna.tasks.inference.score_plan import ScorePlan

Counts = Mapping[str | None, int]


@dataclass(frozen=True)
class Corpus:
    """A corpus whose shares are to be corrected.

    Attributes:
        counts: documents by the label that they have been given; None for those that a threshold
            leaves without.
        ways: how they were scored: `kind`, `revision`, `labels` and `settings` of each config that
            they have.
    """

    counts: Counts
    ways: tuple[dict[str, Any], ...] = ()

    def is_scored_by(self, part: ScorePlan) -> bool:
        """Whether a score would give the corpus what it has, as far as its configs are known."""
        settings = json.loads(json.dumps(part.settings))
        return all(
            (way["kind"], way["revision"]) == (part.kind, part.model.revision)
            and set(way["labels"]) == set(part.labels)
            and {key: way["settings"].get(key) for key in settings} == settings
            for way in self.ways
        )


@dataclass(frozen=True)
class Evaluated:
    """The quality of one classifier on one file.

    Attributes:
        model: the model as ``name@revision``, or the config of published rows.
        rows: rows of the file.
        unlabelled: rows left out because they have no gold label or one that is mapped to nothing.
        unreadable: rows left out because they cannot be read or have no text.
        not_drawn: rows left out because they are none of those that were drawn.
        repeated: rows left out because another row of the same document has the same label.
        not_published: rows left out because their text is not in the results, or has no score.
        weighed: whether rows stand for unequal numbers of documents.
        seed: of the draws that the intervals are from.
        evaluation: the measures over the other rows.
        against: other classifiers on the same rows.
        prevalence: shares of the corpus, corrected; None where no corpus is known.
        other_way: whether the corpus was scored in another way than the rows, so that how these are
            told says little of it.
        calibrated: what a fit makes of the scores, where one was asked for.
    """

    file: str
    task: str
    model: str
    rows: int
    unlabelled: int
    unreadable: int
    not_drawn: int
    repeated: int
    not_published: int
    weighed: bool
    seed: int
    evaluation: Evaluation
    intervals: Intervals
    groups: tuple[Group, ...]
    against: tuple[Pairing, ...] = ()
    prevalence: Prevalence | None = None
    other_way: bool = False
    calibrated: Calibrated | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the measures beside the file's own facts."""
        facts = asdict(self)
        fit = facts.pop("calibrated")
        if fit is not None:
            fit["calibration"] = fit["calibration"].model_dump()
        return {**facts, **facts.pop("evaluation"), **(fit or {})}


def evaluated(
    labelled: Labelled,
    rows: Judged,
    *,
    file: str,
    task: str,
    not_published: int = 0,
    covered: int = 0,
    others: Sequence[Judged] = (),
    counts: Counts | None = None,
    same_corpus: bool = False,
    other_way: bool = False,
    calibrated: Calibrated | None = None,
    seed: int = 0,
) -> Evaluated:
    """All measures of a classifier.

    Args:
        covered: documents in strata of which a row is labelled.
        others: further classifiers on the same rows, in the same order.
        counts: documents of a corpus by label.
        same_corpus: whether that is the one that the rows were drawn from.
        other_way: whether it was scored in another way than the rows.
        calibrated: a fit to the same rows.
        seed: of the draws.
    """
    return Evaluated(
        file=file,
        task=task,
        model=rows.name,
        rows=labelled.rows,
        unlabelled=len(labelled.given) - not_published - len(rows.truth),
        unreadable=labelled.unreadable,
        not_drawn=labelled.not_drawn,
        repeated=labelled.repeated,
        not_published=not_published,
        weighed=not rows.design.is_even,
        seed=seed,
        evaluation=evaluate_labels(rows.gold, rows.scores, rows.labels, rows.design.weights),
        intervals=intervals(rows, seed),
        groups=tuple(groups(rows, seed)),
        against=tuple(pairing(rows, other, seed) for other in others),
        prevalence=_prevalence(labelled, rows, task, covered, counts, same_corpus, seed),
        other_way=other_way,
        calibrated=calibrated,
    )


def answered_rows(labelled: Labelled, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Places of rows that have any gold label, of all or of those that are named."""
    places = np.arange(len(labelled.given)) if among is None else among
    return np.array([at for at in places if labelled.given[at]], dtype=np.int64)


def _prevalence(
    labelled: Labelled,
    rows: Judged,
    task: str,
    covered: int,
    counts: Counts | None,
    same_corpus: bool,
    seed: int,
) -> Prevalence | None:
    sample = labelled.sample
    if sample is not None and sample.score == task and (counts is None or same_corpus):
        drawn: dict[str | None, int] = {}
        for stratum in sample.strata:
            drawn[stratum.label] = drawn.get(stratum.label, 0) + stratum.documents
        return sampled_shares(rows, drawn, covered, seed)
    return None if counts is None else adjusted_shares(rows, counts, seed)
