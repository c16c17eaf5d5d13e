"""How well scores agree with gold labels: accuracy, F1, confusion and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def _label_quality(label: str, index: int, confusion: np.ndarray) -> LabelQuality:
    hits = confusion[index, index]
    precision = _ratio(hits, confusion[:, index].sum())
    recall = _ratio(hits, confusion[index].sum())
    f1 = _ratio(2 * precision * recall, precision + recall)
    return LabelQuality(label, precision, recall, f1, int(confusion[index].sum()))


def _reliability(sure: np.ndarray, right: np.ndarray) -> tuple[ReliabilityBin, ...]:
    which = np.clip(np.ceil(sure * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    bins = []
    for i in range(N_BINS):
        inside = which == i
        count = int(inside.sum())
        score = float(sure[inside].mean()) if count else None
        accuracy = float(right[inside].mean()) if count else None
        bins.append(ReliabilityBin(i / N_BINS, (i + 1) / N_BINS, count, score, accuracy))
    return tuple(bins)


def evaluate_labels(gold: Sequence[str], scores: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """Compare gold labels with a model's scores.

    ``scores`` has shape ``(len(gold), len(labels))``; the highest score of a row is its
    prediction, and that score, taken as a probability, its confidence.

    Raises:
        UsageError: there is no row, or a gold label that the model cannot give.
    """
    if len(gold) == 0:
        raise UsageError("nothing to evaluate: no row has a gold label")
    unknown = sorted(set(gold) - set(labels))
    if unknown:
        raise UsageError(
            f"gold label {unknown[0]!r} is none of the model's labels ({', '.join(labels)}); "
            f"name it with --map {unknown[0]}=LABEL"
        )
    index = {label: i for i, label in enumerate(labels)}
    truth = np.array([index[label] for label in gold])
    guess = scores.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    per_label = tuple(_label_quality(label, i, confusion) for i, label in enumerate(labels))
    bins = _reliability(scores.max(axis=1), truth == guess)
    gaps = (
        b.count * abs(b.mean_score - b.accuracy)
        for b in bins
        if b.mean_score is not None and b.accuracy is not None
    )
    return Evaluation(
        n=len(gold),
        accuracy=float((truth == guess).mean()),
        macro_f1=float(np.mean([quality.f1 for quality in per_label if quality.support])),
        labels=tuple(labels),
        per_label=per_label,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        calibration_error=float(sum(gaps) / len(gold)),
        reliability=bins,
    )
