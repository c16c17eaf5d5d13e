"""The recipe of the bundled models, in parts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    pipeline,
)

from nocturna.tasks.errors import UsageError
from recipes.bundled import make as recipe
from recipes.bundled.curriculum import SHARES
from recipes.bundled.e5 import SPECIAL, cut_vocabulary, keep_words, tokenizer_of
from recipes.bundled.sentiment import (
    LABELS,
    branch_of,
    learn_judge,
    make_judged,
    teach_branch,
)
from recipes.bundled.shipping import save_model, share_weights
from recipes.bundled.sources import Said, read_sources
from recipes.bundled.student import (
    PAD,
    Lesson,
    Opinion,
    cosent,
    encode,
    length_batches,
    read,
    teach,
)
from recipes.bundled.teachers import distance, learn_adapter, rotation
from recipes.bundled.upper import SHARED, states_of, teach_upper
from tests.recipes.made_up import PAIRS, write_data, write_pairs

PIECES = [(name, 0.0) for name in SPECIAL] + [(c, -9.0) for c in "▁abcdefghijklmnopqrstuvwxyz."]
TEXTS = ["me encanta", "lo odio", "hoy llueve", "un perro", "dos gatos", "tres casas"]


def unit(rows: int, width: int = 32, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1)


def small_student(layers: int = 1, spread: float = 0.02) -> BertModel:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    shape |= {"initializer_range": spread}
    config = BertConfig(vocab_size=len(PIECES), num_hidden_layers=layers, pad_token_id=PAD, **shape)
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    write_pairs(data, [("Go.", "Ve."), ("Go.",)])
    with pytest.raises(UsageError, match=r"tatoeba.*line 2: 1 columns"):
        read_sources(data, 10, 10, seed=1)


def untranslated(texts: list[Said], start: str, others: Sequence[str]) -> list[Said]:
    """Every language says it in the words of the first."""
    return [text | dict.fromkeys(others, text[start]) for text in texts]


def test_a_judge_tells_sides_apart_and_leans_to_neither() -> None:
    sides = unit(3)
    opinions = [Opinion("", SHARES[label]) for label in ("neg", "neu", "pos")] * 300
    given = normalize(sides.repeat(300, 1) + 0.05 * torch.randn(900, 32), dim=1)
    said = learn_judge(given, opinions)(sides)
    assert said.argmax(1).tolist() == [0, 1, 2]
    assert torch.allclose(said.sum(1), torch.ones(3))


@pytest.mark.usefixtures("wordfreq")
def test_what_the_branch_reads_lies_between_the_label_and_the_judge(tmp_path: Path) -> None:
    sources = read_sources(write_data(tmp_path), 100, 100, 1, untranslated)
    found = make_judged(sources, lambda texts: unit(len(texts)), seed=1)
    assert found and all(sum(opinion.shares) == pytest.approx(1) for opinion in found)
    texts = {opinion.text for opinion in found}
    assert {text["es"] for text, _ in sources.opinions["emoji"]} <= texts
    assert set(sources.speeches) <= texts and texts & {es for _, es in PAIRS}


@pytest.mark.slow
def test_a_branch_learns_and_leaves_the_shared_layers_as_they_are() -> None:
    encoder, tokenizer = small_student(SHARED + 2, spread=0.3), tokenizer_of(PIECES, 32)
    branch = branch_of(encoder, seed=1)
    before = {name: values.clone() for name, values in branch.bert.state_dict().items()}
    opinions = [
        Opinion(text, SHARES[label])
        for text, label in zip(TEXTS, ("pos", "neg", "neu") * 2, strict=True)
    ]
    teach_branch(branch, tokenizer, opinions * 200, 1, rate=5e-3, tokens=64)
    own = [f"encoder.layer.{SHARED + number}." for number in range(2)]
    for name, values in branch.bert.state_dict().items():
        same = torch.equal(values, before[name])
        assert same == (not name.startswith(("pooler.", *own))), name
    ids = tokenizer(TEXTS[:3], padding=True, return_tensors="pt")
    assert branch(**ids).logits.argmax(1).tolist() == [2, 0, 1]


@pytest.mark.slow
def test_upper_layers_are_drawn_to_the_targets_and_the_shared_ones_stay() -> None:
    student, tokenizer = small_student(SHARED + 1, spread=0.3), tokenizer_of(PIECES, 32)
    targets, ids = unit(len(TEXTS)), encode(tokenizer, TEXTS, 32)
    before = {name: values.clone() for name, values in student.state_dict().items()}
    with torch.no_grad():
        first = (read(student, ids) * targets).sum(1).mean()
    lessons = [Lesson(text, row) for row, text in enumerate(TEXTS)] * 60
    scored = [("un perro", "dos gatos", 4.0), ("un perro", "lo odio", 0.0)]
    teach_upper(student, tokenizer, lessons, targets, scored, 1, 3, rate=5e-3, tokens=128)
    with torch.no_grad():
        assert (read(student, ids) * targets).sum(1).mean() > first + 0.2
    for name, values in student.state_dict().items():
        own = name.startswith(f"encoder.layer.{SHARED}.")
        assert torch.equal(values, before[name]) != own, name


def test_states_are_those_of_the_shared_layers() -> None:
    branch = branch_of(small_student(SHARED + 2), seed=1)
    ids = encode(tokenizer_of(PIECES, 32), TEXTS, 32)
    given, mask = states_of(branch.bert, ids).batch([0, 2])
    with torch.no_grad():
        for row, text in enumerate((0, 2)):
            found = branch.bert(ids[text][None], output_hidden_states=True).hidden_states[SHARED]
            assert torch.allclose(given[row][mask[row]], found[0], atol=0.05)


def test_what_two_models_share_is_kept_once_and_both_load_whole(tmp_path: Path) -> None:
    encoder, tokenizer = small_student(SHARED + 2).half().float(), tokenizer_of(PIECES, 32)
    branch = branch_of(encoder, seed=1)
    with torch.no_grad():
        branch.bert.encoder.layer[SHARED].output.dense.weight.mul_(2)
    folders = tmp_path / "encoder", tmp_path / "sentiment"
    for model, folder in zip((encoder, branch), folders, strict=True):
        save_model(model, tokenizer, folder)
    share_weights(*folders, SHARED)
    bare, first = AutoModel.from_pretrained(
        folders[0], output_loading_info=True, add_pooling_layer=False
    )
    headed, second = AutoModelForSequenceClassification.from_pretrained(
        folders[1], output_loading_info=True
    )
    assert not any(keys for report in (first, second) for keys in report.values())
    for found, wanted in ((bare, encoder), (headed, branch)):
        for name, values in wanted.half().float().state_dict().items():
            assert torch.equal(found.state_dict()[name], values), name
    links = [path for path in folders[1].iterdir() if path.is_symlink()]
    weights = [path for folder in folders for path in folder.glob("*.safetensors")]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in weights)
    assert len(links) == 3 and all(not Path(path.readlink()).is_absolute() for path in links)
    assert pipeline("text-classification", model=str(folders[1]))("hola")[0]["label"] in LABELS


def test_models_that_differ_where_they_should_not_are_not_put_together(tmp_path: Path) -> None:
    encoder, tokenizer = small_student(SHARED + 2), tokenizer_of(PIECES, 32)
    branch = branch_of(encoder, seed=1)
    with torch.no_grad():
        branch.bert.encoder.layer[0].output.dense.weight.mul_(2)
    folders = tmp_path / "encoder", tmp_path / "sentiment"
    for model, folder in zip((encoder, branch), folders, strict=True):
        save_model(model, tokenizer, folder)
    with pytest.raises(ValueError, match=r"layer\.0\.output\.dense\.weight is not the same"):
        share_weights(*folders, SHARED)
