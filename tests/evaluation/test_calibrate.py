"""A fit on labelled rows finds what was done to the scores, and says what it is worth."""

import numpy as np
import pytest
from scipy.optimize import minimize

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.calibrate import calibrate
from nocturna.tasks.inference.calibrating import calibrated, log_odds, probabilities
from nocturna.tasks.inference.score_plan import ScorePlan

LABELS = ("política", "economía", "cultura")


def drawn(rows: int, sums_to_one: bool) -> tuple[list[str], np.ndarray]:
    """Gold labels, and scores of them that are twice as sure as they should be, and lean."""
    rng = np.random.default_rng(3)
    odds = rng.normal(0, 1.2, (rows, 3))
    truth = [rng.choice(3, p=row) for row in probabilities(odds, sums_to_one=True)]
    odds = odds if sums_to_one else odds - 1
    scores = probabilities(odds * 2.0 + np.array([0.8, 0, -0.8]), sums_to_one)
    return [LABELS[at] for at in truth], scores.astype(np.float32)


def plan_of(calibration, sums_to_one: bool) -> ScorePlan:
    settings = {"calibration": calibration.model_dump()}
    return ScorePlan("topic", "x", {}, LABELS, settings, sums_to_one=sums_to_one)


def test_the_fit_finds_the_temperature_and_the_lean_again():
    gold, scores = drawn(4000, sums_to_one=True)
    found = calibrate(gold, scores, LABELS, sums_to_one=True)
    assert found.calibration.temperature == pytest.approx(2.0, rel=0.1)
    bias = np.array([found.calibration.bias[label] for label in LABELS])
    assert bias == pytest.approx([-0.4, 0, 0.4], abs=0.1)
    assert found.helps and found.rows == 4000
    assert found.after.log_loss < found.before.log_loss - 0.05
    assert found.after.calibration_error < 0.03 < found.before.calibration_error
    assert found.after.accuracy > found.before.accuracy


@pytest.mark.parametrize("sums_to_one", [True, False])
@pytest.mark.parametrize("rows", [25, 400])
def test_the_fit_is_that_of_a_general_optimiser(rows, sums_to_one):
    gold, scores = drawn(rows, sums_to_one)
    found = calibrate(gold, scores, LABELS, sums_to_one).calibration
    odds = log_odds(scores, sums_to_one)
    right = np.eye(3)[[LABELS.index(label) for label in gold]]

    def loss(weights: np.ndarray) -> float:
        guess = probabilities(odds * weights[0] + weights[1:], sums_to_one)
        lost = -np.log(guess[right > 0]).sum()
        if not sums_to_one:
            lost -= np.log(1 - guess[right == 0]).sum()
        return lost + ((weights - np.array([1, 0, 0, 0])) ** 2).sum() / 2

    best = minimize(loss, [1, 0, 0, 0], method="BFGS").x
    assert found.temperature == pytest.approx(1 / best[0], rel=2e-3)
    assert list(found.bias.values()) == pytest.approx(best[1:].tolist(), abs=2e-3)


@pytest.mark.parametrize("sums_to_one", [True, False])
def test_calibrated_scores_are_those_of_the_fit(sums_to_one):
    gold, scores = drawn(300, sums_to_one)
    fit = calibrate(gold, scores, LABELS, sums_to_one).calibration
    found = calibrated(plan_of(fit, sums_to_one), scores)
    odds = log_odds(scores, sums_to_one) / fit.temperature + list(fit.bias.values())
    assert found == pytest.approx(probabilities(odds, sums_to_one), abs=1e-6)
    if sums_to_one:
        assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_labels_that_were_not_asked_about_take_no_share():
    gold, scores = drawn(300, sums_to_one=True)
    fit = calibrate(gold, scores, LABELS, sums_to_one=True).calibration
    some = np.array([[0.7, np.nan, 0.3], [np.nan] * 3], dtype=np.float32)
    found = calibrated(plan_of(fit, True), some)
    assert np.isnan(found).tolist() == np.isnan(some).tolist()
    assert np.nansum(found[0]) == pytest.approx(1)


def test_scores_are_raw_where_nothing_is_said():
    scores = np.array([[0.7, 0.3]], dtype=np.float32)
    assert calibrated(ScorePlan("topic", "x", {}, ("a", "b")), scores) is scores


def test_scores_that_are_right_already_are_left_as_they_are():
    rng = np.random.default_rng(5)
    scores = probabilities(rng.normal(0, 1.5, (3000, 3)), sums_to_one=True)
    gold = [LABELS[rng.choice(3, p=row)] for row in scores]
    found = calibrate(gold, scores.astype(np.float32), LABELS, sums_to_one=True)
    assert found.calibration.temperature == pytest.approx(1, abs=0.1)
    assert found.after.log_loss == pytest.approx(found.before.log_loss, abs=0.005)


@pytest.mark.parametrize(("rows", "one"), [(10, False), (200, True)])
def test_too_little_to_fit_is_one_line(rows, one):
    gold, scores = drawn(rows, sums_to_one=True)
    with pytest.raises(UsageError, match="at least 20 labelled rows"):
        calibrate([LABELS[0]] * rows if one else gold, scores, LABELS, sums_to_one=True)
