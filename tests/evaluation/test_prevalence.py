"""Corrected shares against corpora whose shares are known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from nocturna.tasks.evaluation.design import Design
from nocturna.tasks.evaluation.prevalence import (
    adjusted_shares,
    on_simplex,
    sampled_shares,
    solved,
)
from tests.evaluation.simulated import CONFUSION, LABELS, called, counted, judged_rows

SHARES = np.array([0.1, 0.1, 0.8])
"""Of the corpus; those of the labelled rows are others."""


def test_a_known_confusion_is_undone_exactly():
    truth = np.repeat([0, 1, 2], 100)
    said = np.concatenate(
        [np.repeat([0, 1, 2], (row * 100).round().astype(int)) for row in CONFUSION]
    )
    counts = dict(
        zip(LABELS, (SHARES @ CONFUSION * 10_000).round().astype(int).tolist(), strict=True)
    )
    found = adjusted_shares(judged_rows(truth, said), counts)
    assert [s.share for s in found.shares] == pytest.approx(SHARES.tolist(), abs=1e-6)
    assert [s.counted for s in found.shares] == pytest.approx((SHARES @ CONFUSION).tolist())
    assert (found.how, found.documents, found.covered) == ("adjusted", 10_000, 10_000)


@pytest.mark.slow
def test_shares_are_corrected_and_their_intervals_hold_the_truth():
    held, off = np.zeros(3), np.zeros(3)
    for trial in range(200):
        rng = np.random.default_rng(trial)
        truth = rng.choice(3, 300)
        corpus = rng.choice(3, 5_000, p=SHARES)
        counts = counted(called(rng, corpus))
        found = adjusted_shares(judged_rows(truth, called(rng, truth)), counts, trial, times=400)
        held += [s.low <= share <= s.high for s, share in zip(found.shares, SHARES, strict=True)]
        off += [s.share - share for s, share in zip(found.shares, SHARES, strict=True)]
        assert sum(s.share for s in found.shares) == pytest.approx(1)
    assert (held / 200 >= 0.9).all() and (held / 200 <= 0.99).all(), held / 200
    assert (abs(off) / 200 < 0.01).all(), "and what is found is right on the whole"
    assert abs(SHARES @ CONFUSION - SHARES).max() > 0.05, "counting alone is off"


@pytest.mark.slow
def test_rows_drawn_from_the_corpus_say_its_shares_without_any_assumption():
    rng = np.random.default_rng(0)
    corpus = rng.choice(3, 20_000, p=SHARES)
    odd = called(rng, corpus)
    odd[(corpus == 2) & (rng.random(20_000) < 0.3)] = 0  # not as any other rows would have it
    places = [np.flatnonzero(odd == at) for at in range(3)]
    exact = np.bincount(corpus) / 20_000
    held = np.zeros(3)
    for trial in range(100):
        rng = np.random.default_rng(trial)
        taken = np.concatenate([rng.choice(rows, 120, replace=False) for rows in places])
        design = Design(odd[taken], np.bincount(odd) / 120)
        rows = judged_rows(corpus[taken], odd[taken], design)
        found = sampled_shares(rows, counted(odd), 20_000, trial)
        held += [s.low <= share <= s.high for s, share in zip(found.shares, exact, strict=True)]
    assert (held / 100 >= 0.9).all() and (held / 100 <= 0.99).all(), held / 100


def test_a_stratified_sample_of_one_corpus_corrects_another():
    rng = np.random.default_rng(0)
    first = rng.choice(3, 20_000, p=[0.5, 0.3, 0.2])
    said = called(rng, first)
    places = [np.flatnonzero(said == at) for at in range(3)]
    held, off = np.zeros(3), np.zeros(3)
    for trial in range(150):
        rng = np.random.default_rng(trial)
        taken = np.concatenate([rng.choice(rows, 100, replace=False) for rows in places])
        design = Design(said[taken], np.bincount(said) / 100)
        rows = judged_rows(first[taken], said[taken], design)
        counts = counted(called(rng, rng.choice(3, 5_000, p=SHARES)))
        found = adjusted_shares(rows, counts, trial, times=300).shares
        held += [s.low <= share <= s.high for s, share in zip(found, SHARES, strict=True)]
        off += [s.share - share for s, share in zip(found, SHARES, strict=True)]
    assert (held / 150 >= 0.88).all() and (held / 150 <= 0.99).all(), held / 150
    assert (abs(off) / 150 < 0.02).all(), off / 150


def test_a_label_that_a_threshold_left_out_is_a_call_of_its_own():
    rng = np.random.default_rng(7)
    truth, corpus = rng.choice(3, 2_000), rng.choice(3, 50_000, p=SHARES)
    said, all_said = called(rng, truth), called(rng, corpus)
    said[(truth == 1) & (rng.random(2_000) < 0.5)] = 3
    all_said[(corpus == 1) & (rng.random(50_000) < 0.5)] = 3
    rows = judged_rows(truth, np.minimum(said, 2))
    rows.said[:] = said
    counts = dict(zip((*LABELS, None), np.bincount(all_said).tolist(), strict=True))
    found = adjusted_shares(rows, counts)
    assert [s.share for s in found.shares] == pytest.approx(SHARES.tolist(), abs=0.03)


def test_few_rows_without_an_error_are_not_taken_for_a_model_without_errors():
    widths = []
    for n in (4, 400):
        truth = np.repeat([0, 1, 2], n)
        counts = {"política": 200_000, "economía": 300_000, "cultura": 500_000}
        (share, *_) = adjusted_shares(judged_rows(truth, truth), counts).shares
        assert share.share == pytest.approx(0.2) and share.low <= 0.2 <= share.high
        widths.append(share.high - share.low)
    few, many = widths
    assert few > 0.15 and many < 0.02


def test_a_label_without_gold_rows_is_not_guessed():
    truth = np.repeat([0, 1], 50)
    found = adjusted_shares(judged_rows(truth, truth), {"política": 6, "economía": 4, "cultura": 0})
    *known, absent = found.shares
    assert [s.share for s in known] == pytest.approx([0.6, 0.4])
    assert (absent.share, absent.low, absent.high) == (None, None, None)


def test_the_nearest_shares_are_those_of_a_general_optimiser():
    values = np.random.default_rng(2).normal(0.3, 0.5, (20, 4))
    for given, found in zip(values, on_simplex(values), strict=True):
        best = minimize(
            lambda x, given=given: ((x - given) ** 2).sum(),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            tol=1e-12,
        ).x
        assert found == pytest.approx(best, abs=1e-4)


def test_shares_that_cannot_be_undone_are_those_of_a_general_optimiser():
    rng = np.random.default_rng(4)
    rates = rng.dirichlet([1, 1, 1, 1, 1], (30, 4)) * 0.5 + np.eye(4, 5) * 0.5
    called = rng.dirichlet([0.4] * 5, 30)
    found = solved(rates * 100, called)
    inside = 0
    for confusion, q, shares in zip(rates, called, found, strict=True):
        best = minimize(
            lambda x, m=confusion, q=q: ((x @ m - q) ** 2).sum(),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        ).x
        inside += (np.linalg.pinv(confusion).T @ q >= 0).all()
        assert shares == pytest.approx(best, abs=1e-4)
    assert inside < 15, "most of these cannot be undone"
