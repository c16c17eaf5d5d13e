"""How labelled rows were drawn, and what else might have been drawn in the same way."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.interval import wilson

TIMES = 2000
"""How often rows are drawn again for an interval."""

_SAME = 1e-9
"""By how much values differ that are the same but for rounding."""

_AT_ONCE = 2_000_000
"""Weights that are held in memory at a time."""


@dataclass(frozen=True, eq=False)
class Design:
    """The strata that rows were drawn from.

    Attributes:
        strata: of each row, 0 and up, shape (n,).
        each: documents that a row of the stratum stands for, shape (strata,).
        drawn_together: of each stratum, with which others it is drawn again, 0 and up, shape
            (strata,); by itself if that is not given. A stratum of two or three rows that are all
            right would never differ from one draw to the next, as if nothing were unknown of it;
            together with strata like it, it does (Cochran, Sampling Techniques, 1977, 5A.12:
            collapsed strata, whose variance is rather too large than too small).
    """

    strata: NDArray[np.int64]
    each: NDArray[np.float64]
    drawn_together: NDArray[np.int64] | None = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """Documents that each row stands for, shape (n,)."""
        return self.each[self.strata]

    @property
    def is_even(self) -> bool:
        """Whether every row stands for as many documents as any other."""
        return len(self.strata) == 0 or len(set(self.weights.tolist())) == 1


def evenly(n: int) -> Design:
    """Rows drawn by chance, or any others of which nothing else is known."""
    return Design(np.zeros(n, dtype=np.int64), np.ones(1))


def totals(
    design: Design, columns: NDArray[np.floating], seed: int = 0, times: int = TIMES
) -> NDArray[np.float64]:
    """Weighted sums of values of the rows, for so many bootstrap draws of the rows.

    In each stratum, or of those that are drawn together, one row less than there are is drawn with
    replacement, and weighs more for it: Rao and Wu, Resampling Inference With Complex Survey Data
    (1988). The weights of a draw add up to the documents that there are. The same seed draws the
    same rows, so that two classifiers can be compared draw by draw.

    Args:
        columns: values, shape (n, c).

    Returns:
        shape (times, c).
    """
    found = [weights @ columns for weights in _drawn(design, seed, times)]
    return np.concatenate(found) if found else np.zeros((0, columns.shape[1]))


def _drawn(design: Design, seed: int, times: int) -> Iterator[NDArray[np.float64]]:
    """Weights of the rows, shape (draws, n), a block of draws after the other."""
    rng = np.random.default_rng(seed)
    n = len(design.strata)
    together, worth = design.drawn_together, design.weights
    groups = design.strata if together is None else together[design.strata]
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    block = max(1, min(times, _AT_ONCE // max(n, 1)))
    for begun in range(0, times, block):
        draws = min(block, times - begun)
        weights = np.zeros((draws, n))
        for rows in members:
            taken = max(len(rows) - 1, 1)
            picks = rng.integers(0, len(rows), (draws, taken)) + (
                np.arange(draws)[:, None] * len(rows)
            )
            often = np.bincount(picks.ravel(), minlength=draws * len(rows))
            drawn = often.reshape(draws, -1) * worth[rows]
            weights[:, rows] = drawn * (worth[rows].sum() / drawn.sum(axis=1, keepdims=True))
        yield weights


def middle(values: NDArray[np.float64]) -> tuple[float, float]:
    """The ends between which 95 % of the draws lie; draws without a value are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def interval_of(values: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of a share.

    Where no draw differs from another, as where all or none are right, in the set or in each
    stratum, Wilson's interval stands in, for as many rows as the weights are worth (Kish, Survey
    Sampling, 1965).

    Args:
        values: of the share in each draw; NaN where it has none.
        weights: of the rows that it is a share of.
    """
    low, high = middle(values)
    if high - low > _SAME:
        return low, high
    worth = float(weights.sum() ** 2 / (weights**2).sum())
    return wilson(worth * min(low, 1.0), worth)
