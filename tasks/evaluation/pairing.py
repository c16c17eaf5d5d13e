"""Two classifiers on the same rows: which is better, and whether chance would do as much."""

import math
from dataclasses import dataclass

import numpy as np

from nocturna.tasks.evaluation.design import middle, totals
from nocturna.tasks.evaluation.judged import Judged


@dataclass(frozen=True)
class Pairing:
    """Another classifier against the one that is evaluated.

    Attributes:
        name: of the other one.
        accuracy: of the other one, each row weighed.
        difference: its accuracy less that of the first.
        low, high: 95 % interval of the difference, from draws of the same rows for both.
        only_first, only_other: rows that one of the two has right and the other has not.
        p: of the exact test of McNemar: how likely chance alone makes rows on which they differ
            as uneven as that.
    """

    name: str
    accuracy: float
    difference: float
    low: float
    high: float
    only_first: int
    only_other: int
    p: float


def pairing(first: Judged, other: Judged, seed: int = 0) -> Pairing:
    """Compares two classifiers of the same labels on the same rows, in the same order."""
    gain = other.right.astype(float) - first.right.astype(float)
    weights = first.design.weights
    sums = totals(first.design, np.stack([gain, np.ones(len(gain))], axis=1), seed)
    only_first, only_other = int((gain < 0).sum()), int((gain > 0).sum())
    return Pairing(
        other.name,
        float(np.average(other.right, weights=weights)),
        float(np.average(gain, weights=weights)),
        *middle(sums[:, 0] / sums[:, 1]),
        only_first,
        only_other,
        mcnemar(only_first, only_other),
    )


def mcnemar(one: int, other: int) -> float:
    """The p-value of the exact test of McNemar, of two sides.

    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages (1947): were both as good, each row on which they differ would be a fair coin.

    Args:
        one, other: rows that only the one, or only the other, has right.

    >>> mcnemar(1, 9)
    0.021484375
    >>> mcnemar(5, 5)
    1.0
    """
    n, least = one + other, min(one, other)
    if n <= 1000:
        tail = sum(math.comb(n, k) for k in range(least + 1)) / 2**n
    else:
        of = math.lgamma(n + 1) - n * math.log(2)
        logs = [of - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(least + 1)]
        tail = math.fsum(math.exp(value) for value in logs)
    return min(1.0, 2 * tail)
