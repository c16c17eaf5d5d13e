"""The recipe of the bundled encoder, in parts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from transformers import BertConfig, BertModel

from nocturna.tasks.errors import UsageError
from recipes.encoder import make as recipe
from recipes.encoder.curriculum import SHARES
from recipes.encoder.data import read_sources
from recipes.encoder.e5 import SPECIAL, cut_vocabulary, keep_words, tokenizer_of
from recipes.encoder.student import (
    PAD,
    Lesson,
    Opinion,
    cosent,
    encode,
    length_batches,
    read,
    teach,
)
from recipes.encoder.teachers import distance, learn_adapter, rotation

PIECES = [(name, 0.0) for name in SPECIAL] + [(c, -9.0) for c in "▁abcdefghijklmnopqrstuvwxyz."]
TEXTS = ["me encanta", "lo odio", "hoy llueve", "un perro", "dos gatos", "tres casas"]


def unit(rows: int, width: int = 32, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1)


def small_student() -> BertModel:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(PIECES), num_hidden_layers=1, pad_token_id=PAD, **shape)
    return BertModel(config, add_pooling_layer=False).eval()


def test_the_distance_is_least_at_what_is_wanted() -> None:
    wanted, weight = unit(5), torch.ones(5)
    there = distance(wanted, wanted, weight)
    assert there < distance(-wanted, wanted, weight)
    assert there < distance(wanted.roll(1, 0), wanted, weight)


def test_only_pairs_in_the_wrong_order_count() -> None:
    score = torch.tensor([5.0, 1.0])
    assert cosent(torch.tensor([0.9, 0.1]), score).item() == pytest.approx(0.0, abs=1e-5)
    assert cosent(torch.tensor([0.1, 0.9]), score).item() == pytest.approx(20 * 0.8, abs=1e-3)


def test_a_rotation_is_found_again_and_changes_no_cosine() -> None:
    wanted, turn = unit(200), torch.linalg.qr(torch.randn(32, 32))[0]
    found = rotation(wanted @ turn, wanted)
    assert torch.allclose(found, turn, atol=1e-4)
    turned = wanted @ found
    assert torch.allclose(turned @ turned.T, wanted @ wanted.T, atol=1e-5)


def test_an_adapter_learns_a_map_between_two_spaces() -> None:
    given = unit(2_048, seed=1)
    wanted = normalize(given @ torch.linalg.qr(torch.randn(32, 32))[0], dim=1)
    found = learn_adapter(given, wanted, seed=1, passes=40)(given)
    assert (found * wanted).sum(1).mean() > 0.9


def test_batches_hold_every_row_once_within_the_budget() -> None:
    ids = [torch.zeros(n, dtype=torch.long) for n in (3, 9, 1, 5, 7, 2, 9, 4)]
    batches = length_batches(ids, 18, np.random.default_rng(0))
    assert sorted(row for batch in batches for row in batch) == list(range(len(ids)))
    assert all(max(len(ids[row]) for row in batch) * len(batch) <= 18 for batch in batches)


def test_teaching_draws_texts_to_their_targets() -> None:
    student, tokenizer, targets = small_student(), tokenizer_of(PIECES, 32), unit(len(TEXTS))
    lessons = [Lesson(text, row) for row, text in enumerate(TEXTS)] * 120
    shares = [SHARES["pos"], SHARES["neg"], SHARES["neu"]]
    opinions = [Opinion(text, said) for text, said in zip(TEXTS, shares, strict=False)] * 40
    ids = encode(tokenizer, TEXTS, 32)
    with torch.no_grad():
        before = (read(student, ids) * targets).sum(1).mean()
    scored = [("un perro", "dos gatos", 4.0), ("un perro", "lo odio", 0.0)]
    teach(student, tokenizer, lessons, targets, opinions, scored, 1, rate=5e-3, tokens=128)
    with torch.no_grad():
        vectors = read(student, ids)
    assert (vectors * targets).sum(1).mean() > before + 0.2


def test_fewer_words_leave_the_vectors_of_the_others_as_they_were() -> None:
    student, kept = small_student(), [0, 1, 2, 3, 5, 9, 11]
    before = student.get_input_embeddings().weight.detach().clone()
    keep_words(student, kept)
    assert torch.equal(student.get_input_embeddings().weight, before[kept])
    assert student.config.vocab_size == len(kept)


def test_the_commonest_pieces_stay_and_every_letter() -> None:
    pieces = [*PIECES, ("▁perro", -2.0), ("▁gato", -2.0), ("▁casa", -2.0)]
    kept = [pieces[i][0] for i in cut_vocabulary(pieces, ["perro gato perro hola"], 12)]
    assert kept[:4] == list(SPECIAL) and "▁perro" in kept and "▁casa" not in kept
    assert {"h", "o", "l", "a"} <= set(kept)


def test_addresses_and_names_are_one_token_each_and_spelling_is_never_lost() -> None:
    tokenizer = tokenizer_of([*PIECES, ("▁http", -1.0), ("▁@user", -1.0), ("@", -9.0)])
    assert tokenizer.tokenize("@ana mira https://a.b/c") == tokenizer.tokenize("@luz mira www.x.y")
    assert "<unk>" not in tokenizer.tokenize("hola")


def test_a_missing_file_is_one_clear_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"training data not found: .*tatoeba"):
        read_sources(tmp_path, 10, 10, seed=1)
    assert recipe.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "make: training data not found" in capfd.readouterr().err
