"""What share of a corpus really has each label, from what a classifier said of all of it.

Counting the labels that a classifier gives is off wherever it errs more to one side than to the
other. Labelled rows say how it errs, and two ways correct the count:

- Rows drawn from the corpus itself (`nocturna gold`) stand for the documents of their stratum, so
  their gold labels are weighed by it. Nothing is assumed.
- Any other rows give the confusion matrix: how often documents that are one label are called
  another. The shares sought are those that such a classifier would turn into the counts: adjusted
  classify and count (Forman, Quantifying Counts and Costs via Classification, 2008), of several
  labels (Hopkins and King, A Method of Automated Nonparametric Content Analysis, 2010). It assumes
  that documents of a label are told as often in the corpus as among the labelled rows, that is,
  that only the shares of the labels may differ, and that every document is of one of the labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.evaluation.design import TIMES, Design, interval_of, totals
from nocturna.tasks.evaluation.judged import Judged

MOST_STEPS = 1000
"""Towards the nearest shares."""

_EDGE = 1e-9


@dataclass(frozen=True)
class CorrectedShare:
    """The share of a label in a corpus.

    Attributes:
        counted: documents that the classifier gave the label, as a share.
        share: corrected; None for a label that no labelled row has, of which nothing is known.
        low, high: its 95 % interval.
    """

    label: str
    counted: float
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Prevalence:
    """The shares of all labels in a corpus.

    Attributes:
        how: `sample` of the corpus itself, or `adjusted` by the confusion matrix of other rows.
        documents: of the corpus that have the score.
        covered: those of them in strata of which some row is labelled; all where adjusted.
    """

    how: str
    documents: int
    covered: int
    shares: tuple[CorrectedShare, ...]


def sampled_shares(
    rows: Judged, counts: Mapping[str | None, int], covered: int, seed: int = 0
) -> Prevalence:
    """The shares in the corpus that the rows were drawn from."""
    k = len(rows.labels)
    gold = np.eye(k)[rows.truth]
    share = np.average(gold, axis=0, weights=rows.design.weights)
    sums = totals(rows.design, gold, seed)
    drawn = sums / sums.sum(axis=1, keepdims=True)
    return _prevalence("sample", rows, counts, covered, share, drawn, share > 0)


def adjusted_shares(
    rows: Judged, counts: Mapping[str | None, int], seed: int = 0, times: int = TIMES
) -> Prevalence:
    """The shares in a corpus of which the rows are no sample.

    Drawn again are both the labelled rows, of each gold label as many as there are, and the
    documents of the corpus. To each gold label a draw adds one more row, called anything and of any
    weight: with it the rates of a draw are as uncertain as so few rows leave them (Rubin, The
    Bayesian Bootstrap, 1981), also where no row of a label was called wrong.

    Args:
        counts: documents of the corpus by the label that they have been given; None for those that
            a threshold leaves without.
    """
    k = len(rows.labels)
    called = np.array([counts.get(label, 0) for label in (*rows.labels, None)], dtype=np.float64)
    documents = int(called.sum())
    cells = np.eye(k * (k + 1))[rows.truth * (k + 1) + rows.said]
    design = rows.design if not rows.design.is_even else Design(rows.truth, np.ones(k))
    found = (design.weights @ cells).reshape(k, k + 1)
    there = found.sum(axis=1) > 0
    drawn = totals(design, cells, seed, times).reshape(times, k, k + 1)
    drawn = np.where(drawn.sum(axis=2, keepdims=True) > 0, drawn, found)
    rng = np.random.default_rng([seed, 1])
    ever = (found.sum(axis=0) + called > 0).astype(float)
    another = rng.gamma(ever / ever.sum(), size=drawn.shape)
    drawn = drawn + another * design.weights.mean()
    again = rng.multinomial(documents, called / max(documents, 1), times) / max(documents, 1)
    share, others = np.zeros(k), np.zeros((times, k))
    share[there] = solved(found[None, there], called[None] / max(documents, 1))[0]
    others[:, there] = solved(drawn[:, there], again)
    return _prevalence("adjusted", rows, counts, documents, share, others, there)


def solved(confusion: NDArray[np.float64], called: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares that a confusion matrix turns into those that were called, as nearly as can be.

    Where undoing it gives shares that are not negative and add up to 1, these; else the ones of
    least squares among those that may be, by accelerated projected gradients (Beck and Teboulle,
    A Fast Iterative Shrinkage-Thresholding Algorithm, 2009).

    Args:
        confusion: rows by gold label and the label they were called, (times, labels, called).
        called: shares of a corpus by what its documents were called, (times, called).

    Returns:
        shares that are not negative and add up to 1, (times, labels).
    """
    rates = confusion / confusion.sum(axis=2, keepdims=True)
    exact = np.einsum("bkc,bk->bc", np.linalg.pinv(rates), called)
    outside = (exact < 0).any(axis=1) | (np.abs(exact.sum(axis=1) - 1) > _EDGE)
    found = on_simplex(exact)
    if outside.any():
        found[outside] = _nearest(rates[outside], called[outside], found[outside])
    return found


def _nearest(
    rates: NDArray[np.float64], called: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    gram = rates @ rates.transpose(0, 2, 1)
    aim = np.einsum("bck,bk->bc", rates, called)
    step = 1 / np.linalg.eigvalsh(gram)[:, -1:]
    shares = ahead = start
    pace = 1.0
    for _ in range(MOST_STEPS):
        slope = np.einsum("bcd,bd->bc", gram, ahead) - aim
        new = on_simplex(ahead - step * slope)
        if np.abs(new - shares).max() < _EDGE:
            return new
        faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        uphill = ((ahead - new) * (new - shares)).sum(axis=1, keepdims=True) > 0
        ahead = new + np.where(uphill, 0, (pace - 1) / faster) * (new - shares)
        shares, pace = new, faster
    return shares


def on_simplex(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest shares that are not negative and add up to 1.

    Duchi et al., Efficient Projections onto the l1-Ball for Learning in High Dimensions (2008).

    Args:
        values: shape (times, labels).

    >>> on_simplex(np.array([[0.7, 0.5, -0.2]])).round(3).tolist()
    [[0.6, 0.4, 0.0]]
    """
    falling = -np.sort(-values, axis=1)
    over = (np.cumsum(falling, axis=1) - 1) / np.arange(1, values.shape[1] + 1)
    last = (falling - over > _EDGE).sum(axis=1, keepdims=True) - 1
    taken = np.take_along_axis(over, np.maximum(last, 0), axis=1)
    found: NDArray[np.float64] = np.maximum(values - taken, 0)
    return found / found.sum(axis=1, keepdims=True)


def _prevalence(
    how: str,
    rows: Judged,
    counts: Mapping[str | None, int],
    covered: int,
    share: NDArray[np.float64],
    drawn: NDArray[np.float64],
    there: NDArray[np.bool_],
) -> Prevalence:
    documents = sum(counts.values())
    shares = []
    for at, label in enumerate(rows.labels):
        counted = counts.get(label, 0) / documents if documents else 0.0
        low, high = interval_of(drawn[:, at], rows.design.weights)
        ends = (float(share[at]), low, high) if there[at] else (None, None, None)
        shares.append(CorrectedShare(label, counted, *ends))
    return Prevalence(how, documents, covered, tuple(shares))
