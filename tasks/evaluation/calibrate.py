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
from nocturna.tasks.job.base import Calibration

LEAST_ROWS = 20
FOLDS = 5
PRIOR = 1.0
"""Weight, in rows, of the raw scores: it holds what a few rows say nothing of where it is."""

_STEPS, _ENOUGH = 100, 1e-9
_COLDEST = 1 / 20


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
        slope, bias = _fit(odds[seen], truth[seen], sums_to_one)
        held_out[~seen] = probabilities(odds[~seen] * slope + bias, sums_to_one)
    slope, bias = _fit(odds, truth, sums_to_one)
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


def _fit(
    odds: NDArray[np.float64], truth: NDArray[np.intp], sums_to_one: bool
) -> tuple[float, NDArray[np.float64]]:
    """Slope and biases by Newton's method; the loss is convex in both.

    Of shares only differences of biases tell; they are made to add up to 0.
    """
    labels = odds.shape[1]
    right = np.eye(labels)[truth]
    raw = np.zeros(labels + 1)
    raw[0] = 1.0

    def guessed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return probabilities(odds * weights[0] + weights[1:], sums_to_one)

    def loss(weights: NDArray[np.float64]) -> float:
        sure = np.clip(guessed(weights), 1e-300, 1)
        lost = -np.log(sure)[right > 0].sum()
        if not sums_to_one:
            lost -= np.log(np.clip(1 - guessed(weights), 1e-300, 1))[right == 0].sum()
        return float(lost + PRIOR * ((weights - raw) ** 2).sum() / 2)

    weights = raw
    for _ in range(_STEPS):
        guess = guessed(weights)
        wrong = guess - right
        slope = np.concatenate([[(wrong * odds).sum()], wrong.sum(axis=0)])
        slope += PRIOR * (weights - raw)
        step = np.linalg.solve(_curvature(odds, guess, sums_to_one), slope)
        while np.abs(step).max() > _ENOUGH and loss(weights - step) > loss(weights):
            step /= 2
        weights = weights - step
        weights[0] = max(weights[0], _COLDEST)
        if np.abs(step).max() <= _ENOUGH:
            break
    bias = weights[1:]
    return float(weights[0]), bias - bias.mean() if sums_to_one else bias


def _curvature(
    odds: NDArray[np.float64], guess: NDArray[np.float64], sums_to_one: bool
) -> NDArray[np.float64]:
    """Second derivatives of the loss, shape (1 + labels, 1 + labels)."""
    labels = odds.shape[1]
    found = np.zeros((labels + 1, labels + 1))
    spread = guess if sums_to_one else guess * (1 - guess)
    found[0, 0] = (spread * odds**2).sum()
    found[0, 1:] = (spread * odds).sum(axis=0)
    found[1:, 1:] = np.diag(spread.sum(axis=0))
    if sums_to_one:
        mean = (guess * odds).sum(axis=1)
        found[0, 0] -= (mean**2).sum()
        found[0, 1:] -= guess.T @ mean
        found[1:, 1:] -= guess.T @ guess
    found[1:, 0] = found[0, 1:]
    return found + PRIOR * np.eye(labels + 1)
