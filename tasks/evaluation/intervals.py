"""How exact the measures of labelled rows are: 95 % intervals by drawing the rows again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.evaluation.agreement import N_BINS, bin_of
from nocturna.tasks.evaluation.design import interval_of, totals
from nocturna.tasks.evaluation.judged import Judged

Interval = tuple[float, float]

LENGTHS = (16, 64, 256, 1024)
"""Tokens at which a class of lengths begins."""


@dataclass(frozen=True)
class Intervals:
    """The 95 % interval of each measure of an `Evaluation`; of labels in the order of the labels.

    Attributes:
        reliability: of the accuracy of each bin.
    """

    accuracy: Interval
    macro_f1: Interval
    precision: tuple[Interval, ...]
    recall: tuple[Interval, ...]
    f1: tuple[Interval, ...]
    reliability: tuple[Interval, ...]


@dataclass(frozen=True)
class Group:
    """Rows of one language or of one class of lengths.

    Attributes:
        by: `language` or `tokens`.
        accuracy: share of rows that are right, weighed.
        low, high: its 95 % interval.
    """

    by: str
    name: str
    rows: int
    accuracy: float
    low: float
    high: float


def intervals(rows: Judged, seed: int = 0) -> Intervals:
    """The intervals of the measures of a classifier, all from the same draws."""
    k = len(rows.labels)
    guess, gold = np.eye(k)[rows.guess], np.eye(k)[rows.truth]
    bins = np.eye(N_BINS)[bin_of(rows.scores.max(axis=1))]
    members = np.concatenate([np.ones((len(gold), 1)), guess, gold, bins], axis=1)
    right, whole = _drawn(rows, members, seed)
    told, there = slice(1, k + 1), slice(k + 1, 2 * k + 1)
    f1 = _ratio(2 * right[:, told], whole[:, told] + whole[:, there])
    support = whole[:, there] > 0
    macro = np.where(support, np.nan_to_num(f1), 0).sum(axis=1) / np.maximum(support.sum(axis=1), 1)
    shares = _shares(rows, members, _ratio(right, whole))
    return Intervals(
        accuracy=shares[0],
        macro_f1=interval_of(macro, rows.design.weights),
        precision=shares[told],
        recall=shares[there],
        f1=_shares(rows, guess + gold, f1),
        reliability=shares[2 * k + 1 :],
    )


def groups(rows: Judged, seed: int = 0) -> list[Group]:
    """How often rows of each language, and of each class of lengths, are right."""
    languages = ["not told" if code is None else code for code in rows.languages]
    by_count = sorted(set(languages), key=lambda code: (-languages.count(code), code))
    lengths = np.digitize(rows.n_tokens, LENGTHS)
    named = [("language", code, np.array([c == code for c in languages])) for code in by_count]
    named += [
        ("tokens", _said(at), lengths == at) for at in range(len(LENGTHS) + 1) if at in lengths
    ]
    members = np.stack([mask for _, _, mask in named], axis=1).astype(float)
    weights = rows.design.weights
    return [
        Group(
            by,
            name,
            int(mask.sum()),
            float(np.average(rows.right[mask], weights=weights[mask])),
            *interval,
        )
        for (by, name, mask), interval in zip(named, shares_right(rows, members, seed), strict=True)
    ]


def shares_right(
    rows: Judged, members: NDArray[np.floating], seed: int = 0
) -> tuple[Interval, ...]:
    """The interval of the share of rows that are right, of each of several sets of rows.

    Args:
        members: 1 where a row is in a set, 0 where it is not, shape (n, sets).
    """
    return _shares(rows, members, _ratio(*_drawn(rows, members, seed)))


def _shares(
    rows: Judged, members: NDArray[np.floating], drawn: NDArray[np.float64]
) -> tuple[Interval, ...]:
    weights = rows.design.weights
    return tuple(
        interval_of(values, weights[column > 0])
        for column, values in zip(members.T, drawn.T, strict=True)
    )


def _drawn(
    rows: Judged, members: NDArray[np.floating], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many rows of each set are right in each draw, and how many there are; weighed."""
    width = members.shape[1]
    right = members * rows.right[:, None]
    sums = totals(rows.design, np.concatenate([right, members], axis=1), seed)
    return sums[:, :width], sums[:, width:]


def _ratio(tops: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = tops / wholes
    return found


def _said(at: int) -> str:
    if at == len(LENGTHS):
        return f"{LENGTHS[-1]:,} or more"
    low = LENGTHS[at - 1] if at else 0
    return f"{low} to {LENGTHS[at] - 1:,}"
