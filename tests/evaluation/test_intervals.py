"""Intervals against formulas, and against how often they hold what they should."""

import numpy as np
import pytest
from scipy.stats import binomtest

from nocturna.tasks.evaluation.agreement import evaluate_labels
from nocturna.tasks.evaluation.design import Design, evenly, totals
from nocturna.tasks.evaluation.errors_table import errors_table
from nocturna.tasks.evaluation.intervals import groups, intervals
from nocturna.tasks.evaluation.pairing import mcnemar, pairing
from nocturna.tasks.evaluation.prevalence import sampled_shares
from nocturna.tasks.interval import wilson
from tests.evaluation.simulated import LABELS, called, judged_rows


def test_draws_vary_as_the_mean_of_rows_drawn_by_chance_does():
    values = np.random.default_rng(1).exponential(size=(60, 1))
    drawn = totals(evenly(60), values, seed=2, times=20_000)[:, 0] / 60
    assert drawn.mean() == pytest.approx(values.mean(), rel=0.01)
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 60, rel=0.05)


def test_draws_vary_as_a_stratified_total_does():
    rng = np.random.default_rng(1)
    strata, sizes = np.repeat([0, 1, 2], [5, 30, 8]), np.array([100.0, 60.0, 900.0])
    values = rng.normal(strata * 3, 1 + strata, 43)[:, None]
    design = Design(strata, sizes / np.bincount(strata))
    drawn = totals(design, values, seed=2, times=20_000)[:, 0]
    inside = [values[strata == h] for h in range(3)]
    variance = sum(
        size**2 * rows.var(ddof=1) / len(rows) for size, rows in zip(sizes, inside, strict=True)
    )
    assert drawn.mean() == pytest.approx(design.weights @ values[:, 0], rel=0.02)
    assert drawn.var() == pytest.approx(variance, rel=0.05)


def test_strata_of_few_rows_that_are_all_right_or_all_wrong_are_not_taken_as_known():
    held, points = np.zeros(2), 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        bands = np.repeat([0, 1, 2], 2_000)
        right = rng.random(6_000) < np.array([0.3, 0.6, 0.95])[bands]
        other = rng.random(2_000) < 0.7
        taken = [rng.choice(2_000, 3, replace=False) + 2_000 * band for band in range(3)]
        rows = np.concatenate([*taken, rng.choice(2_000, 20, replace=False) + 6_000])
        true = np.concatenate([right, other])
        strata = np.repeat([0, 1, 2, 3], [3, 3, 3, 20])
        design = Design(strata, 2_000 / np.array([3, 3, 3, 20]), np.array([0, 0, 0, 1]))
        said = np.repeat([0, 1], [9, 20])
        found = judged_rows(np.where(true[rows], said, 2), said, design)
        ends = intervals(found, trial)
        exact = true.mean(), right.mean()
        pairs = zip((ends.accuracy, ends.precision[0]), exact, strict=True)
        held += [low <= value <= high for (low, high), value in pairs]
        points += ends.precision[0][0] == ends.precision[0][1]
    assert points == 0 and (held / 200 >= 0.9).all(), (points, held / 200)


def test_the_same_seed_draws_the_same_rows_and_another_others():
    values = np.arange(20.0)[:, None]
    one, again, other = (totals(evenly(20), values, seed, 50) for seed in (4, 4, 5))
    assert (one == again).all() and (one != other).any()


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    held = np.zeros(3)
    for trial in range(150):
        rng = np.random.default_rng(trial)
        truth = rng.choice(3, 150, p=[0.5, 0.3, 0.2])
        found = intervals(judged_rows(truth, called(rng, truth)), seed=trial)
        exact = 0.5 * 0.8 + 0.3 * 0.7 + 0.2 * 0.85
        precision = 0.5 * 0.8 / (0.5 * 0.8 + 0.3 * 0.1 + 0.2 * 0.05)
        pairs = ((found.accuracy, exact), (found.recall[1], 0.7), (found.precision[0], precision))
        held += [low <= value <= high for (low, high), value in pairs]
    assert (held / 150 >= 0.90).all() and (held / 150 <= 0.99).all(), held / 150


def test_an_interval_is_never_a_point_where_no_error_was_seen():
    truth = np.array([0, 1, 2, 0, 1, 2, 0])
    found = intervals(judged_rows(truth, truth))
    assert found.accuracy == wilson(7, 7) and found.recall[0] == wilson(3, 3)
    uneven = Design(np.array([0, 0, 0, 0, 0, 0, 1]), np.array([1.0, 100.0]))
    low, high = intervals(judged_rows(truth, truth, uneven)).accuracy
    assert high == 1 and low < 0.25, "one row stands for nearly all documents"


def test_weights_make_of_a_stratified_sample_what_the_whole_is():
    rng = np.random.default_rng(3)
    truth = rng.choice(3, 9_000, p=[0.7, 0.2, 0.1])
    said = called(rng, truth)
    whole = judged_rows(truth, said)
    taken = np.concatenate([np.flatnonzero(said == at)[:400] for at in range(3)])
    design = Design(said[taken], np.bincount(said) / 400)
    some = judged_rows(truth[taken], said[taken], design)
    exact = evaluate_labels(whole.gold, whole.scores, LABELS)
    plain = evaluate_labels(some.gold, some.scores, LABELS)
    found = evaluate_labels(some.gold, some.scores, LABELS, design.weights)
    assert found.accuracy == pytest.approx(exact.accuracy, abs=0.02)
    assert found.macro_f1 == pytest.approx(exact.macro_f1, abs=0.03)
    assert found.calibration_error == pytest.approx(exact.calibration_error, abs=0.02)
    assert abs(plain.accuracy - exact.accuracy) > 0.03, "without them it is another figure"
    assert found.confusion == plain.confusion, "counts are of rows"


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 9), (5, 5), (30, 12), (900, 800)])
def test_mcnemar_is_the_exact_binomial(one, other):
    known = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(known, rel=1e-9)


def test_the_difference_of_two_classifiers_is_that_of_pairs():
    rng = np.random.default_rng(5)
    truth = rng.choice(3, 400)
    first = judged_rows(truth, called(rng, truth))
    better = np.where(rng.random(400) < 0.4, truth, first.guess)
    found = pairing(first, judged_rows(truth, better, name="better"))
    gain = (better == truth).astype(int) - first.right
    assert found.difference == pytest.approx(gain.mean())
    half = 1.96 * gain.std(ddof=1) / 20
    assert (found.low, found.high) == pytest.approx(
        (gain.mean() - half, gain.mean() + half), abs=0.006
    )
    assert (found.only_first, found.only_other) == (0, int(gain.sum())) and found.p < 1e-6
    same = pairing(first, first)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_classifier_that_is_no_better_seems_so_one_time_in_twenty():
    seemed = 0
    for trial in range(150):
        rng = np.random.default_rng(trial)
        truth = rng.choice(3, 200)
        ways = [judged_rows(truth, called(rng, truth)) for _ in range(2)]
        seemed += pairing(*ways).p < 0.05
    assert seemed / 150 <= 0.07


def test_rows_are_told_apart_by_language_and_length():
    truth, said = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 2])
    rows = judged_rows(
        truth,
        said,
        languages=["es", "es", "en", None, "es"],
        n_tokens=np.array([3, 15, 16, 1024, 9000]),
    )
    found = {(g.by, g.name): (g.rows, g.accuracy) for g in groups(rows)}
    assert found == {
        ("language", "es"): (3, pytest.approx(2 / 3)),
        ("language", "en"): (1, 1.0),
        ("language", "not told"): (1, 1.0),
        ("tokens", "0 to 15"): (2, 0.5),
        ("tokens", "16 to 63"): (1, 1.0),
        ("tokens", "1,024 or more"): (2, 1.0),
    }


def test_errors_are_the_wrong_rows_the_surest_first():
    truth, said = np.array([0, 0, 1, 2]), np.array([1, 0, 2, 0])
    rows = judged_rows(truth, said)
    rows.scores[2, 2] = 0.95
    table = errors_table(rows, [judged_rows(truth, truth)]).to_pylist()
    assert [row["doc_id"] for row in table] == ["d2", "d0", "d3"]
    assert (table[0]["gold"], table[0]["predicted"]) == ("economía", "cultura")
    assert table[0]["score"] == pytest.approx(0.95)
    assert table[0]["gold_score"] == pytest.approx(0.1)
    assert table[0]["against_1"] == "economía"


def test_gold_of_one_label_leaves_no_interval_without_a_width():
    strata = np.repeat([0, 1], 10)
    rows = judged_rows(np.zeros(20, int), strata, Design(strata, np.array([5.0, 9.0])))
    found = intervals(rows)
    (share, *_) = sampled_shares(rows, {LABELS[0]: 50, LABELS[1]: 90}, 140).shares
    for low, high in (found.accuracy, found.macro_f1, *found.f1, (share.low, share.high)):
        assert high - low > 0.1
