"""IBM model 1, glosses and batches against values worked out by hand."""

import numpy as np
import pytest
import torch

from recipes.bundled.alignment import translation_table
from recipes.bundled.batches import length_batches, pad
from recipes.bundled.calibration import TEMPERATURES, best_temperature, title_similarities
from recipes.bundled.gloss import gloss, learn_lexicon, plain_words
from tests.recipes.made_up import PAIRS


def test_one_round_of_em_on_the_textbook_example() -> None:
    """la casa = the house, la = the. Round one: each word shared out evenly among its row."""
    la, casa, the, house = 0, 1, 0, 1
    table = translation_table([([la, casa], [the, house]), ([la], [the])], 2, 2, iterations=1)
    assert table[la, the] == pytest.approx(1.5 / 2)
    assert table[la, house] == pytest.approx(0.5 / 2)
    assert table[casa, the] == pytest.approx(0.5)


def test_em_settles_on_the_right_translations() -> None:
    table = translation_table([([0, 1], [0, 1]), ([0], [0])], 2, 2, iterations=50)
    assert table[0, 0] > 0.9
    assert table[1, 1] > 0.9


def test_lexicon_and_gloss() -> None:
    lexicon = learn_lexicon(PAIRS)
    assert lexicon["pan"][0] == "bread"
    assert lexicon["compra"][0] == "buys"
    assert "." not in lexicon
    assert gloss("Médico compra pan integral.", lexicon) == "doctor buys bread integral ."


def test_plain_words_drop_case_and_accents() -> None:
    assert plain_words("¡Qué ÁRBOL!") == ["¡", "que", "arbol", "!"]


def test_length_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [3, 50, 7, 7, 20, 1, 12]
    for shuffle in (None, np.random.default_rng(0)):
        batches = length_batches(lengths, 60, shuffle)
        assert sorted(row for batch in batches for row in batch) == list(range(7))
        assert all(max(lengths[r] for r in b) * len(b) <= 60 for b in batches)


def test_pad_puts_zeros_and_a_mask_on_the_right() -> None:
    ids, mask = pad([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_best_temperature_sharpens_the_sure_and_softens_the_wrong() -> None:
    right = torch.tensor([[0.5, 0.4]]).repeat(9, 1)
    wrong = torch.tensor([[0.4, 0.5]])
    assert best_temperature(right) == TEMPERATURES[0]
    nine_of_ten = best_temperature(torch.cat([right, wrong]))
    assert nine_of_ten == pytest.approx(0.1 / np.log(9), rel=0.1)


def test_title_similarities_begin_with_the_own_title() -> None:
    vectors = torch.eye(5)
    found = title_similarities(vectors, vectors, labels=3, seed=0)
    assert found.shape == (5, 3)
    assert found[:, 0].tolist() == [1.0] * 5
    assert found[:, 1:].abs().sum() == 0
