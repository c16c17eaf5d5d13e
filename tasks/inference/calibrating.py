"""Scores as a job has them calibrated: a temperature, and a bias for each label.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.score_plan import ScorePlan

LEAST = 1e-7
"""Scores nearer to 0 or 1 count as so near: beyond it a float32 cannot tell them apart."""


def calibrated(score: ScorePlan, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of texts as the job wants them; raw ones where it says nothing of it.

    Args:
        score: with `calibration` among its settings, or without.
        values: shape (texts, labels), NaN for labels that a text was not asked about.
    """
    told: Mapping[str, Any] | None = score.settings.get("calibration")
    if told is None or not values.size:
        return values
    biases = np.array([told["bias"].get(label, 0.0) for label in score.labels])
    adjusted = log_odds(values, score.sums_to_one) / told["temperature"] + biases
    return probabilities(adjusted, score.sums_to_one).astype(np.float32)


def log_odds(values: NDArray[np.floating[Any]], sums_to_one: bool) -> NDArray[np.float64]:
    """Logarithms of shares of one whole; of scores that stand by themselves, their logits."""
    exact = np.clip(values.astype(np.float64), LEAST, 1 - LEAST)
    return np.log(exact) if sums_to_one else np.log(exact) - np.log1p(-exact)


def probabilities(adjusted: NDArray[np.float64], sums_to_one: bool) -> NDArray[np.float64]:
    """The inverse of `log_odds`; NaN stays where it was and takes no share."""
    if not sums_to_one:
        return 1 / (1 + np.exp(-adjusted))
    there = np.where(np.isnan(adjusted), -np.inf, adjusted)
    top = there.max(axis=1, keepdims=True)
    raised = np.exp(adjusted - np.where(np.isfinite(top), top, 0))
    whole = np.nansum(raised, axis=1, keepdims=True)
    return raised / np.where(whole > 0, whole, 1)
