"""Sentence encoders embed as sentence-transformers itself does, from the same folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import describe_encoder, load_encoder
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores
from tests.models import TEXTS, sentence_encoder

TORCH = running(Compute(device="cpu", backend="torch", workers=1), "fp32")
OPENVINO = running(Compute(device="cpu", backend="openvino", workers=1), "fp32")
SAMPLE = [*TEXTS[:9], "HOLA Mundo", "y [SEP] dos", "hola"]


def made(folder: Path, *, pooling="mean", after=(), prompt="", lower=False, **pooling_settings):
    """A sentence encoder as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    plain = sentence_encoder(folder.parent / f"{folder.name}-plain")
    transformer = Transformer(str(plain), max_seq_length=32, do_lower_case=lower)
    modules = [transformer, Pooling(32, pooling_mode=pooling, **pooling_settings), *after]
    prompts = {"prompts": {"tema": prompt}, "default_prompt_name": "tema"} if prompt else {}
    SentenceTransformer(modules=modules, device="cpu", **prompts).save(str(folder))
    return folder


def dense(width: int, **settings):
    from sentence_transformers.sentence_transformer.modules import Dense

    torch.manual_seed(4)
    return Dense(width, 24, **settings)


def layer_norm(width: int):
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    found = LayerNorm(width)
    torch.nn.init.normal_(found.norm.weight)
    return found


def unit():
    from sentence_transformers.sentence_transformer.modules import Normalize

    return Normalize()


def assert_equal(folder: Path, run=TORCH) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(resolve_model(str(folder), None, "encoder"), run)
    encoded = encoder.tokenizer.encode(SAMPLE)
    assert max(map(len, encoded)) <= encoder.own.capacity
    found = encoder.embed(encoded, run)
    reference = SentenceTransformer(str(folder), device="cpu")
    rows = [reference.encode([text], normalize_embeddings=True)[0] for text in SAMPLE]
    assert np.abs(found - np.array(rows)).max() < 1e-5
    assert np.ptp(found, axis=0).max() > 0.05, "every text is embedded alike"


MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


@pytest.mark.parametrize("pooling", [*MODES, ("cls", "mean", "lasttoken")], ids=str)
def test_every_pooling_is_the_packages_own(tmp_path, pooling):
    assert_equal(made(tmp_path / "m", pooling=pooling))


def test_modules_after_the_pooling_are_the_folders_own(tmp_path):
    after = [
        dense(64),
        layer_norm(24),
        dense(24, bias=False, activation_function=torch.nn.GELU(), use_residual=True),
        unit(),
    ]
    folder = made(tmp_path / "m", pooling=("cls", "max"), after=after)
    assert_equal(folder)
    assert_equal(folder, OPENVINO)


def test_an_activation_brings_its_own_weights_and_only_some_numbers_are_kept(tmp_path):
    folder = made(tmp_path / "m", after=[dense(32, activation_function=torch.nn.PReLU(init=0.9))])
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "truncate_dim": 8}))
    assert_equal(folder)
    assert_equal(folder, OPENVINO)


@pytest.mark.parametrize("pooled", [True, False])
def test_the_default_prompt_is_read_before_every_text(tmp_path, pooled):
    folder = made(tmp_path / "m", prompt="El precio: ", include_prompt=pooled)
    assert_equal(folder)
    encoder = load_encoder(resolve_model(str(folder), None, "encoder"), TORCH)
    assert len(encoder.tokenizer.start) > 2, "the prompt is read"


def test_the_last_word_of_a_prompt_goes_on_in_the_text(tmp_path):
    folder = made(tmp_path / "m", prompt="Es un pre")
    assert_equal(folder)
    tokenizer = load_encoder(resolve_model(str(folder), None, "encoder"), TORCH).tokenizer
    (joined,) = tokenizer.encode(["cio"])
    assert joined.tolist() != [*tokenizer.start, *tokenizer.plain(["cio"])[0]]


def test_texts_are_put_in_lower_case_where_the_folder_says_so(tmp_path):
    folder = made(tmp_path / "m", lower=True)
    assert_equal(folder)
    encoder = load_encoder(resolve_model(str(folder), None, "encoder"), TORCH)
    upper, lower = encoder.tokenizer.encode(["HOLA", "hola"])
    assert upper.tolist() == lower.tolist()


def test_the_window_is_the_folders_own(tmp_path):
    encoder = load_encoder(resolve_model(str(made(tmp_path / "m")), None, "encoder"), TORCH)
    assert encoder.own.capacity == 30


PROMPTS = {"query": "consulta: ", "passage": "pasaje: "}


def test_a_job_names_the_prompts_of_texts_and_of_labels(tmp_path):
    """As sentence-transformers has them by `prompt_name` and `prompt`."""
    from sentence_transformers import SentenceTransformer

    from tests.inference.plans import plan_scores, values

    plain = made(tmp_path / "m")
    folder = edited(plain, "config_sentence_transformers.json", prompts=PROMPTS)
    asked = {"model": folder, "kind": "embedding", "labels": ["curso", "gobierno"]}
    asked |= {"temperature": 0.1}
    reference = SentenceTransformer(str(folder), device="cpu")

    def by_hand(texts: dict, labels: dict) -> np.ndarray:
        a = reference.encode(TEXTS[:3], normalize_embeddings=True, **texts)
        b = reference.encode(["curso", "gobierno"], normalize_embeddings=True, **labels)
        shares = np.exp(a @ b.T / 0.1)
        return shares / shares.sum(axis=1, keepdims=True)

    configs = set()
    for told, texts, labels in (
        ({}, {}, {}),
        ({"prompt": "query"}, {"prompt_name": "query"}, {"prompt_name": "query"}),
        (
            {"prompt": "passage", "label_prompt": "query"},
            *({"prompt_name": "passage"}, {"prompt_name": "query"}),
        ),
        ({"prompt": "El precio: ", "label_prompt": ""}, {"prompt": "El precio: "}, {}),
    ):
        plan = plan_scores({"topic": {**asked, **told}}, examined=True)
        found = values(score_texts(plan, TEXTS[:3], TORCH), "topic")
        assert np.abs(found - by_hand(texts, labels)).max() < 1e-5, told
        configs.add(plan.scores[0].config)
    assert len(configs) == 4
    with pytest.raises(UsageError, match="no prompt called 'qurey'"):
        plan_scores({"topic": {**asked, "prompt": "qurey"}})


def edited(folder: Path, path: str, **values) -> Path:
    file = folder / path
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))
    return folder


WRONG = {
    "pooling": ({"path": "1_Pooling/config.json", "pooling_mode": "attention"}, "attention"),
    "task": (
        {"path": "sentence_bert_config.json", "transformer_task": "text-generation"},
        "transformer_task",
    ),
    "prompt": (
        {"path": "config_sentence_transformers.json", "default_prompt_name": "nada"},
        "default prompt 'nada'",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_setting_that_is_not_known_is_refused(tmp_path, wrong):
    values, message = WRONG[wrong]
    folder = edited(sentence_encoder(tmp_path / "m"), **values)
    with pytest.raises(UsageError, match=message):
        describe_encoder(resolve_model(str(folder), None, "encoder"))


def test_a_dense_module_without_its_weights_is_refused(tmp_path):
    folder = made(tmp_path / "m", after=[dense(32)])
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="module Dense cannot be loaded"):
        describe_encoder(resolve_model(str(folder), None, "encoder"))


def test_labels_are_as_like_as_their_sentences_are_to_the_package(tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = made(tmp_path / "m")
    labels = {"política": ["política", "el gobierno"], "cultura": ["los libros"]}
    templates = ["Va de {}.", "{}"]
    described = {"labels": labels, "kind": "embedding", "model": folder, "template": templates}
    (part,) = plan_scores({"topic": described}).scores
    found = heads()["embedding"].likeness(part, TORCH)
    reference = SentenceTransformer(str(folder), device="cpu")
    vectors = []
    for own in labels.values():
        sentences = [template.replace("{}", word) for template in templates for word in own]
        mean = reference.encode(sentences, normalize_embeddings=True).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    assert np.abs(found - np.array(vectors) @ np.array(vectors).T).max() < 1e-5
