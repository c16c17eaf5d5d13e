"""What a sentiment model learns from: shares that add up, and sides that are told apart."""

import random

import pytest

from recipes.bundled.opinions import MIXED_SHARES, composed, glossed, halfway, labelled

TEXTS = [f"{side} {n}" for side in ("malo", "normal", "bueno") for n in range(20)]
SHARES = [(0.9, 0.1, 0.0)] * 20 + [(0.3, 0.4, 0.3)] * 20 + [(0.1, 0.1, 0.8)] * 20


def test_composed_texts_say_what_their_shares_say():
    found = composed(TEXTS, SHARES, (40, 10), 0.5, random.Random(0))
    assert len(found) == 50
    for opinion in found:
        assert sum(opinion.shares) == pytest.approx(1)
        good, bad = opinion.text.count("bueno"), opinion.text.count("malo")
        if opinion.shares == MIXED_SHARES:
            assert good == bad > 0
        else:
            assert (good > bad) == (opinion.shares[2] > opinion.shares[0])
    assert sum(o.shares[0] == 0.8 for o in found) == sum(o.shares[2] == 0.8 for o in found) == 20


def test_a_judge_without_an_opinion_gives_nothing_to_compose():
    assert composed(TEXTS, [(0.3, 0.4, 0.3)] * 60, (4, 4), 0.5, random.Random(0)) == []


def test_labels_that_are_none_are_left_out_and_glosses_keep_shares_and_weight():
    rows = [{"text": "hola mundo", "label": "pos"}, {"text": "x", "label": "none"}]
    (opinion,) = glossed(labelled(rows, 0.7), {"hola": ("hello", 0.9)})
    assert (opinion.text, opinion.shares, opinion.weight) == ("hello mundo", (0, 0, 1), 0.7)


def test_halfway_is_the_mean():
    assert halfway((1, 0, 0), (0, 0.5, 0.5)) == (0.5, 0.25, 0.25)
