"""Models that a round of hostile use had scored wrongly, or refused without need or reason."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    ByT5Tokenizer,
    ModernBertConfig,
    ModernBertForTokenClassification,
    T5Config,
    T5ForSequenceClassification,
    pipeline,
)

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.model_check import check_model
from nocturna.tasks.inference import tokens
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.inference.tokens import load_tokenizer
from nocturna.tasks.inference.weight_formats import TORCH, format_of
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores, values
from tests.models import NLI, TEXTS, bert_classifier, gliclass_model, wordpiece

EXACT = running(Compute(device="cpu", backend="torch"), "fp32")
LABELS = ["curso", "producto"]


def change(path: Path, **more) -> None:
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**found, **more}), "utf-8")


def check(folder: Path, **options):
    return check_model(resolve_model(str(folder), None, "sentiment"), options, "cpu")


def embedding(folder: Path, labels=LABELS) -> dict:
    return {"topic": {"kind": "embedding", "model": folder, "labels": labels}}


def refused(said: str, folder: Path, **options) -> None:
    with pytest.raises(UsageError, match=said) as line:
        check(folder, **options)
    assert "\n" not in str(line.value)


def test_a_sign_that_a_tokenizer_has_no_token_for_costs_its_own_text(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text("utf-8"))
    vocabulary = told["model"]["vocab"]
    vocabulary["[XXX]"] = vocabulary.pop("[UNK]")
    told["added_tokens"] = [one for one in told["added_tokens"] if one["content"] != "[UNK]"]
    for word in ("a", "La", "2ª", "prueba", ":", "¿", "qué", "tal", "?", "x", "y", "b"):
        vocabulary.setdefault(word, len(vocabulary))
    path.write_text(json.dumps(told), "utf-8")
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    change(folder / "tokenizer_config.json", unk_token=None)
    texts = [TEXTS[0], "漢字", TEXTS[1]]
    found = score_texts(plan_scores({"mood": {"model": folder}}), texts, EXACT)
    assert [bool(reason) for reason in found.unreadable] == [False, True, False]
    assert "has no token for a sign of the text" in found.unreadable[1]
    assert np.isfinite(values(found, "mood")).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(("first", "pieces"), [(None, 4), ("a", 1), ("▁", 4)])
def test_a_text_in_pieces_has_the_tokens_of_the_whole(tmp_path, monkeypatch, first, pieces):
    folder = bert_classifier(tmp_path / "m")
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text("utf-8"))
    if first:
        steps = [
            {"type": "Prepend", "prepend": first},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]
        told["normalizer"] = {"type": "Sequence", "normalizers": steps[: 1 + (first == "▁")]}
        if first == "▁":  # as Llama and its kin have it
            told["pre_tokenizer"] = None
            letters = {sign for text in TEXTS for sign in text} | {"▁"}
            vocabulary = {
                sign: at
                for at, sign in enumerate(["[UNK]", "[PAD]", "[CLS]", "[SEP]", *sorted(letters)])
            }
            told["model"] = {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "[UNK]"}
    path.write_text(json.dumps(told), "utf-8")
    tokenizer = load_tokenizer(resolve_model(str(folder), None, "sentiment"))
    text = "Odio este\nproducto:  roto " * 300
    whole = tokenizer.plain([text])[0].tolist()
    monkeypatch.setattr(tokens, "PIECE_CHARS", 2_000)
    assert tokenizer.encode([text])[0].tolist() == whole
    assert len(list(tokenizer._pieces(text))) == pieces


def test_a_network_that_was_trained_for_something_else_is_refused(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}
    ends |= {"bos_token_id": 2, "eos_token_id": 3}
    names = {"id2label": {0: "O", 1: "B-PER"}, "label2id": {"O": 0, "B-PER": 1}}
    config = ModernBertConfig(
        vocab_size=wordpiece(folder, pad_first=True),
        intermediate_size=64,
        max_position_embeddings=128,
        **{**sizes, **ends, **names},
    )
    ModernBertForTokenClassification(config).save_pretrained(folder)
    refused("it is a ModernBertForTokenClassification, which was not trained", folder)


@pytest.mark.slow
def test_code_of_a_models_own_is_never_replaced_by_another(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    own = {"AutoModelForSequenceClassification": "modeling_mean.MeanBert"}
    change(folder / "config.json", architectures=["MeanBert"], auto_map=own)
    refused("its network MeanBert is code of its own", folder)
    change(folder / "config.json", architectures=["BertForSequenceClassification"])
    assert check(folder).equal


def test_a_tokenizer_of_bytes_needs_no_vocabulary(tmp_path):
    folder = tmp_path / "m"
    ByT5Tokenizer(model_max_length=512).save_pretrained(folder)
    torch.manual_seed(3)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config = T5Config(vocab_size=384, decoder_start_token_id=0, num_labels=3, **sizes)
    T5ForSequenceClassification(config).save_pretrained(folder)
    found = values(score_texts(plan_scores({"mood": {"model": folder}}), TEXTS[:3], EXACT), "mood")
    theirs = pipeline("text-classification", model=str(folder), top_k=None)
    for text, row in zip(TEXTS[:3], found, strict=True):
        expected = {one["label"]: one["score"] for one in theirs([text])[0]}
        assert row == pytest.approx([expected[f"LABEL_{i}"] for i in range(3)], abs=1e-5)


def test_a_cross_encoder_as_its_library_saves_it_is_a_classifier(tmp_path):
    library = pytest.importorskip("sentence_transformers")
    base = bert_classifier(tmp_path / "base", labels=["rel"])
    library.CrossEncoder(str(base), device="cpu").save_pretrained(str(tmp_path / "m"))
    assert check(tmp_path / "m").equal


def test_a_model_of_another_kind_is_told_of_which(tmp_path):
    folder = gliclass_model(tmp_path / "m")
    refused("is one for `kind: gliclass`", folder)
    assert check(folder, kind="gliclass").kind == "gliclass"


def test_a_window_without_room_names_the_model_and_the_setting(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    change(folder / "tokenizer_config.json", model_max_length=2)
    refused("a window of 2 tokens leaves no room .* set model_max_length", folder)
    change(folder / "tokenizer_config.json", model_max_length="2")
    refused("a window of 2 tokens leaves no room", folder)


@pytest.mark.slow
def test_two_names_for_entailment_are_refused_unless_the_job_says_which(tmp_path):
    folder = bert_classifier(tmp_path / "m", labels=NLI)
    options = {"kind": "nli", "labels": LABELS}
    config = folder / "config.json"
    change(config, label2id={"contradiction": 0, "neutral": 1, "entailment": 2})
    refused("id2label calls output 0 entailment, label2id output 2", folder, **options)
    assert check(folder, **options, entailment=0).equal
    change(config, label2id={"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2})
    assert check(folder, **options).equal


@pytest.mark.parametrize("multi", [True, False])
def test_a_check_compares_with_the_output_that_is_named_contradiction(tmp_path, multi):
    folder = bert_classifier(tmp_path / "m", labels=("neutral", "entailment", "contradiction"))
    assert check(folder, kind="nli", labels=LABELS, multi_label=multi).equal


def test_a_consequence_without_its_contrary_is_no_entailment(tmp_path):
    folder = bert_classifier(tmp_path / "m", labels=["cause", "consequence", "none"])
    refused("do not name one entailment class", folder, kind="nli", labels=LABELS)
    known = bert_classifier(tmp_path / "nli", labels=["consecuencia", "neutral", "otra"])
    options = {"kind": "nli", "labels": LABELS, "multi_label": False}
    assert check(known, **options).kind == "nli"
    assert check(bert_classifier(tmp_path / "usual", labels=NLI), **options).equal


@pytest.mark.parametrize("kind", ["nli", "gliclass"])
def test_a_label_that_fills_the_window_costs_its_own_text(tmp_path, kind):
    made = {"nli": lambda at: bert_classifier(at, labels=NLI), "gliclass": gliclass_model}
    model = {"kind": kind, "model": made[kind](tmp_path / "m"), "template": "Va de {}."}
    own, long = ("curso", "producto"), ("b " * 400, "curso")
    plan = plan_scores({"topic": {**model, "labels_column": "own"}})
    texts = [TEXTS[0], TEXTS[1], TEXTS[9] * 3]
    known = [Known(choices={"own": [own, other, own]}) for other in (own, long)]
    usual, odd = (values(score_texts(plan, texts, EXACT, known=one), "topic") for one in known)
    assert np.isfinite(odd).all(axis=1).tolist() == [True, False, True]
    np.testing.assert_allclose(odd[[0, 2]], usual[[0, 2]], atol=1e-6)
    with pytest.raises(UsageError, match=r"scores\.topic: a label takes .* model .*shorter labels"):
        plan_scores({"topic": {**model, "labels": long}}, examined=True)


def nested(folder: Path) -> None:
    weights = torch.load(folder / "pytorch_model.bin")
    torch.save({"model_state_dict": weights, "epoch": 3}, folder / "pytorch_model.bin")


def pickled(folder: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), folder / "pytorch_model.bin")


def empty_index(folder: Path) -> None:
    (folder / "pytorch_model.bin").unlink()
    (folder / "model-00001-of-00001.safetensors").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_text("{}")


def odd_index(folder: Path) -> None:
    empty_index(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": 3}}')


def cut_off(folder: Path) -> None:
    (folder / "pytorch_model.bin").unlink()
    whole = bert_classifier(folder.parent / "whole") / "model.safetensors"
    (folder / "model.safetensors").write_bytes(whole.read_bytes()[:-100])


def listed_labels(folder: Path) -> None:
    change(folder / "config.json", id2label=["a", "b", "c"])


def pointer(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")


@pytest.mark.parametrize("name", ["", "a" * 300, "~nouser/x"])
def test_a_name_that_no_folder_can_have_is_refused(name):
    with pytest.raises(UsageError, match="no such folder, and not a name on the Hub"):
        resolve_model(name, None, "sentiment")


def test_other_safetensors_do_not_hide_the_weights(tmp_path):
    folder = bert_classifier(tmp_path / "m", safetensors=False)
    for name in ("optimizer", "adapter_model", "model.fp16"):
        save_file({"a": torch.zeros(2)}, folder / f"{name}.safetensors")
    assert check(folder).equal
    assert format_of(["pytorch_model.bin", "2_Dense/model.safetensors"]) == TORCH


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            pointer,
            r"pytorch_model\.bin is no file of the model but a Git LFS pointer .* `git lfs pull`",
        ),
        (nested, r"pytorch_model\.bin holds more than weights by name; save"),
        (pickled, r"pytorch_model\.bin holds more than weights by name; save"),
        (empty_index, r"model\.safetensors\.index\.json lists no weights"),
        (odd_index, r"model\.safetensors\.index\.json lists no weights"),
        (cut_off, r"model\.safetensors is cut off or corrupt"),
        (listed_labels, "id2label in its config.json is not an object"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_with_the_file(tmp_path, broken, said):
    folder = bert_classifier(tmp_path / "m", safetensors=False)
    broken(folder)
    refused(said, folder)
