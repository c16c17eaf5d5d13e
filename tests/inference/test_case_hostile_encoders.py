"""Settings of sentence encoders that a round of hostile use had read wrongly, or not at all."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.scorer import score_texts
from tests.inference.plans import plan_scores, values
from tests.inference.test_case_hostile_models import (
    EXACT,
    LABELS,
    change,
    check,
    embedding,
    refused,
)
from tests.models import TEXTS, sentence_encoder

GENERAL = "config_sentence_transformers.json"


@pytest.mark.parametrize(("at", "kind"), [(0, "custom_st.Transformer"), (1, "my.Pooling")])
def test_modules_of_an_encoders_own_are_not_the_librarys(tmp_path, at, kind):
    folder = sentence_encoder(tmp_path / "m")
    modules = json.loads((folder / "modules.json").read_text())
    modules[at]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(modules))
    refused(f"its module {kind} is code of its own", folder, kind="embedding")


def test_a_dense_layer_without_its_settings_is_refused(tmp_path):
    folder = sentence_encoder(tmp_path / "m", modules=["Dense"])
    (folder / "2_Dense").mkdir()
    weights = {"linear.weight": torch.randn(16, 32), "linear.bias": torch.zeros(16)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    refused(r"2_Dense/config.json is missing", folder, kind="embedding")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bias": False}, "Unexpected key"),
        ({"out_features": 8}, "size mismatch"),
        ({"activation_function": "torch.nn.PReLU"}, "Missing key.*activation_function.weight"),
        ({"activation_function": None}, "2_Dense/config.json: activation_function: "),
        ({"bias": "no"}, "2_Dense/config.json: bias: "),
    ],
    ids=str,
)
def test_a_dense_layer_is_the_one_of_its_settings(tmp_path, settings, said):
    folder = sentence_encoder(tmp_path / "m", modules=["Dense"])
    (folder / "2_Dense").mkdir()
    weights = {"linear.weight": torch.randn(16, 32), "linear.bias": torch.zeros(16)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    change(
        folder / "2_Dense" / "config.json", **{"in_features": 32, "out_features": 16, **settings}
    )
    refused(said, folder, kind="embedding", labels=LABELS)


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        (GENERAL, {"similarity_temperature": 0}, "similarity_temperature: .* greater than 0"),
        (GENERAL, {"similarity_spread": -1}, "similarity_spread: "),
        (GENERAL, {"similarity_midpoint": "low"}, "similarity_midpoint: "),
        (GENERAL, {"similarity_templates": {"es": "Va de"}}, r"templates.es: .* needs \{\}"),
        (GENERAL, {"similarity_templates": ["{}"]}, "similarity_templates: "),
        (GENERAL, {"truncate_dim": 0}, "truncate_dim: "),
        (GENERAL, {"prompts": ["query: "]}, "prompts: "),
        (GENERAL, {"prompts": {"q": 3}, "default_prompt_name": "q"}, "prompts.q: "),
        (GENERAL, {"default_prompt_name": 3}, "default_prompt_name: "),
        (GENERAL, [], f"{GENERAL}: "),
        ("sentence_bert_config.json", {"max_seq_length": "32"}, "max_seq_length: "),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "max_seq_length: "),
        ("sentence_bert_config.json", {"config_args": {"num_layers": 1}}, "setting config_args"),
        ("sentence_bert_config.json", [], "sentence_bert_config.json: "),
        (GENERAL, {"similarity_fn_name": "dot"}, "compared by dot .*not supported"),
        (GENERAL, {"similarity_fn_name": "euclidean"}, "compared by euclidean"),
        ("modules.json", [], "modules.json: "),
        ("modules.json", {}, "modules.json: "),
        ("modules.json", [{"path": ""}], r"modules.json: 0\.type: "),
        ("1_Pooling/config.json", ["mean"], "config.json: "),
        ("1_Pooling/config.json", {"foo": 1}, "its pooling foo is not supported"),
        ("1_Pooling/config.json", {"pooling_mode": {"mean": 1}}, "its pooling .* not supported"),
    ],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused_with_file_and_key(tmp_path, name, found, said):
    folder = sentence_encoder(tmp_path / "m")
    (folder / name).write_text(json.dumps(found), "utf-8")
    refused(f"model .*{said}", folder, kind="embedding", labels=LABELS)


def test_a_layer_norm_is_the_one_of_its_settings(tmp_path):
    folder = sentence_encoder(tmp_path / "m", modules=["LayerNorm"])
    (folder / "2_LayerNorm").mkdir()
    weights = {"norm.weight": torch.ones(32), "norm.bias": torch.zeros(32)}
    save_file(weights, folder / "2_LayerNorm" / "model.safetensors")
    change(folder / "2_LayerNorm" / "config.json", dimension=16)
    refused("size mismatch for weight", folder, kind="embedding", labels=LABELS)


def test_dot_products_of_unit_length_are_cosines(tmp_path):
    folder = sentence_encoder(tmp_path / "m", modules=["Normalize"])
    change(folder / GENERAL, similarity_fn_name="dot")
    assert check(folder, kind="embedding", labels=LABELS).equal
    change(folder / GENERAL, truncate_dim=8)
    refused("compared by dot", folder, kind="embedding", labels=LABELS)


@pytest.mark.parametrize(
    "place",
    [
        *("modules.json", "tokenizer.json", "1_Pooling/config.json", "vocab.txt"),
        *("2_Dense/pytorch_model.bin", "2_Dense/model.safetensors"),
    ],
)
def test_a_pointer_in_the_place_of_any_file_of_a_model_is_named(tmp_path, place):
    folder = sentence_encoder(tmp_path / "m", modules=["Dense"])
    (folder / "2_Dense").mkdir()
    change(folder / "2_Dense" / "config.json", in_features=32, out_features=16)
    if place == "vocab.txt":  # as git-annex leaves it
        (folder / place).symlink_to("../.git/annex/objects/ab/cd/key")
    else:
        (folder / place).write_text("version https://git-lfs.github.com/spec/v1\n")
    refused(rf"{place} is no file of the model but a [Gg]it.*`git ", folder, kind="embedding")


def test_a_setting_that_is_null_says_nothing(tmp_path):
    folder = sentence_encoder(tmp_path / "m")
    change(folder / GENERAL, similarity_temperature=None, similarity_templates=None, prompts=None)
    found = score_texts(plan_scores(embedding(folder)), TEXTS[:2], EXACT)
    assert np.isfinite(values(found, "topic")).all()


def test_the_folders_window_counts_whatever_its_tokenizer_says(tmp_path):
    library = pytest.importorskip("sentence_transformers")
    folder = sentence_encoder(tmp_path / "m")
    change(folder / "sentence_bert_config.json", max_seq_length=128)
    change(folder / "tokenizer_config.json", model_max_length=16)
    texts = [text for text in TEXTS if len(text.split()) > 12]
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    vectors = theirs.encode([*texts, *LABELS], normalize_embeddings=True)
    cosines = vectors[: len(texts)] @ vectors[len(texts) :].T / 0.1
    expected = np.exp(cosines) / np.exp(cosines).sum(axis=1, keepdims=True)
    asked = embedding(folder)
    asked["topic"]["template"] = "{}"
    found = score_texts(plan_scores(asked), texts, EXACT)
    assert found.n_windows.tolist() == [1] * len(texts)
    np.testing.assert_allclose(values(found, "topic"), expected, atol=1e-5)


def test_other_layouts_of_encoders_say_what_they_are(tmp_path):
    folder = sentence_encoder(tmp_path / "old")
    (folder / "0_Transformer").mkdir()
    for path in [*folder.glob("*.safetensors"), *folder.glob("token*"), folder / "config.json"]:
        shutil.move(path, folder / "0_Transformer")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UsageError, match="its transformer is in the folder 0_Transformer"):
        resolve_model(str(folder), None, "encoder")
    static = tmp_path / "static"
    static.mkdir()
    listed = [{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]
    (static / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(UsageError, match="its module StaticEmbedding is not supported"):
        resolve_model(str(static), None, "encoder")
