"""Fitting a temperature and a bias for each label to labelled rows, and what they are worth.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks"; the fit is a logistic
regression on the logarithms of the scores, with one slope for all labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.agreement import evaluate_labels
from nocturna.tasks.inference.calibrating import LEAST, log_odds, probabilities
from nocturna.tasks.inference.calibration_fit import fit
from nocturna.tasks.job.base import Calibration

LEAST_ROWS = 20
FOLDS = 5


@dataclass(frozen=True)
class Trust:
    """How far scores can be taken at their word.

    Attributes:
        log_loss: mean of minus the logarithm of the probability of the gold label; over all labels
            where each is scored by itself.
        calibration_error: expected calibration error over ten bins.
    """

    log_loss: float
    calibration_error: float
    accuracy: float


@dataclass(frozen=True)
class Calibrated:
    """A fit, and what it does to rows that it has not seen.

    Attributes:
        calibration: fitted on all rows.
        rows: labelled rows.
        before: the raw scores.
        after: each fifth of the rows by a fit on the other four.
    """

    calibration: Calibration
    rows: int
    before: Trust
    after: Trust

    @property
    def helps(self) -> bool:
        """Whether rows that the fit has not seen are told better by it."""
        return self.after.log_loss < self.before.log_loss

    def as_text(self) -> str:
        """Lines for a terminal."""
        lines = [f"{'':22}log loss  calibration error  accuracy"]
        for name, trust in (("raw", self.before), ("calibrated, held out", self.after)):
            lines.append(
                f"{name:22}{trust.log_loss:8.4f}  {trust.calibration_error:17.4f}  "
                f"{trust.accuracy:8.4f}"
            )
        return "\n".join(lines)


def calibrate(
    gold: Sequence[str], scores: NDArray[np.floating], labels: Sequence[str], sums_to_one: bool
) -> Calibrated:
    """Fits a temperature and biases to raw scores.

    Args:
        gold: gold label of each row.
        scores: raw, shape (rows, labels).
        labels: in the order of the scores.
        sums_to_one: whether the scores of a row are shares of one whole.

    Raises:
        UsageError: too few rows, rows of one gold label only, or a gold label that is not known.
    """
    before = _trust(gold, scores, labels, sums_to_one)
    if len(gold) < LEAST_ROWS or len(set(gold)) < 2:
        raise UsageError(
            f"--calibrate needs at least {LEAST_ROWS} labelled rows with two gold labels or more; "
            f"there are {len(gold)} with {len(set(gold))}"
        )
    truth = np.array([list(labels).index(label) for label in gold])
    odds = log_odds(np.nan_to_num(scores), sums_to_one)
    fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
    held_out = np.empty_like(odds)
    for number in range(FOLDS):
        seen = fold != number
        slope, bias = fit(odds[seen], truth[seen], sums_to_one)
        held_out[~seen] = probabilities(odds[~seen] * slope + bias, sums_to_one)
    slope, bias = fit(odds, truth, sums_to_one)
    found = Calibration(
        temperature=round(1 / slope, 4),
        bias={label: round(float(value), 4) for label, value in zip(labels, bias, strict=True)},
    )
    after = _trust(gold, held_out, labels, sums_to_one)
    return Calibrated(found, len(gold), before, after)


def _trust(
    gold: Sequence[str], scores: NDArray[np.floating], labels: Sequence[str], sums_to_one: bool
) -> Trust:
    known = np.nan_to_num(scores)
    found = evaluate_labels(gold, known, labels)
    truth = np.array([list(labels).index(label) for label in gold])
    sure = np.clip(known.astype(np.float64), LEAST, 1 - LEAST)
    if sums_to_one:
        loss = -np.log(sure[np.arange(len(truth)), truth])
    else:
        right = np.eye(len(labels), dtype=bool)[truth]
        loss = -np.log(np.where(right, sure, 1 - sure)).mean(axis=1)
    return Trust(float(loss.mean()), found.calibration_error, found.accuracy)
