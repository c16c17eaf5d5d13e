"""How well scores agree with gold labels: accuracy, F1, confusion and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError

N_BINS = 10


@dataclass(frozen=True)
class LabelQuality:
    """Precision, recall and F1 of one label (0 where undefined) and its number of gold rows."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose top score lies in ``(lower, upper]``: how sure they were, how often right."""

    lower: float
    upper: float
    count: int
    mean_score: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """Quality of predictions against gold labels.

    Counts are of rows; shares and means weigh each row by the documents that it stands for.
    ``confusion[i][j]`` counts rows of gold label i predicted as label j, in the order of
    ``labels``. ``macro_f1`` is the plain mean over the labels that occur in gold.
    ``calibration_error`` is the expected calibration error (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599) over ten bins of equal width.
    """

    n: int
    accuracy: float
    macro_f1: float
    labels: tuple[str, ...]
    per_label: tuple[LabelQuality, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _label_quality(label: str, index: int, weighed: NDArray[np.float64], n: int) -> LabelQuality:
    hits = weighed[index, index]
    precision = _ratio(hits, weighed[:, index].sum())
    recall = _ratio(hits, weighed[index].sum())
    f1 = _ratio(2 * precision * recall, precision + recall)
    return LabelQuality(label, precision, recall, f1, n)


def bin_of(sure: NDArray[np.floating]) -> NDArray[np.int64]:
    """The bin, 0 to 9, that each score lies in."""
    return np.clip(np.ceil(sure * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)


def _reliability(
    sure: NDArray[np.floating], right: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[ReliabilityBin, ...]:
    which = bin_of(sure)
    bins = []
    for i in range(N_BINS):
        inside = which == i
        count = int(inside.sum())
        score = float(np.average(sure[inside], weights=weights[inside])) if count else None
        accuracy = float(np.average(right[inside], weights=weights[inside])) if count else None
        bins.append(ReliabilityBin(i / N_BINS, (i + 1) / N_BINS, count, score, accuracy))
    return tuple(bins)


def indices(gold: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """The place of each gold label among the labels.

    Raises:
        UsageError: there is no row, or a gold label that the model cannot give.
    """
    if len(gold) == 0:
        raise UsageError("nothing to evaluate: no row has a gold label")
    unknown = sorted(set(gold) - set(labels))
    if unknown:
        raise UsageError(
            f"gold label {unknown[0]!r} is none of the model's labels ({', '.join(labels)}); "
            f"name it with --map {unknown[0]}=LABEL, in a job file with `map`"
        )
    index = {label: i for i, label in enumerate(labels)}
    return np.array([index[label] for label in gold], dtype=np.int64)


def evaluate_labels(
    gold: Sequence[str],
    scores: NDArray[np.floating],
    labels: Sequence[str],
    weights: NDArray[np.float64] | None = None,
) -> Evaluation:
    """Compare gold labels with a model's scores.

    ``scores`` has shape ``(len(gold), len(labels))``; the highest score of a row is its
    prediction, and that score, taken as a probability, its confidence. ``weights``, of shape
    ``(len(gold),)``, say how many documents each row stands for; one each if there are none.

    Raises:
        UsageError: there is no row, or a gold label that the model cannot give.
    """
    truth = indices(gold, labels)
    weights = np.ones(len(truth)) if weights is None else weights
    guess = scores.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    weighed = np.zeros(confusion.shape)
    np.add.at(weighed, (truth, guess), weights)
    support = confusion.sum(axis=1)
    per_label = tuple(
        _label_quality(label, i, weighed, int(support[i])) for i, label in enumerate(labels)
    )
    bins = _reliability(scores.max(axis=1), truth == guess, weights)
    shares = np.bincount(bin_of(scores.max(axis=1)), weights, N_BINS) / weights.sum()
    gaps = (
        share * abs(b.mean_score - b.accuracy)
        for share, b in zip(shares, bins, strict=True)
        if b.mean_score is not None and b.accuracy is not None
    )
    return Evaluation(
        n=len(gold),
        accuracy=_ratio(weighed.trace(), weighed.sum()),
        macro_f1=float(np.mean([quality.f1 for quality in per_label if quality.support])),
        labels=tuple(labels),
        per_label=per_label,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        calibration_error=float(sum(gaps)),
        reliability=bins,
    )
