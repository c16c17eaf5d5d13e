"""Models that begin with the same layers read their texts in one pass, with the scores of two."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

from nocturna.tasks.inference.backends import _torch_network
from nocturna.tasks.inference.branches import shared_layers
from nocturna.tasks.inference.known import Known
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores, values
from tests.models import SENTIMENT, TEXTS, sentence_encoder

LABELS = ["política", "estadística", "ocio"]
POOLING = ["mean", "cls", "max"]
LONG = TEXTS + [" ".join(random.Random(i).choices(TEXTS, k=i)) for i in range(1, 9)]
EXACT = running(Compute(device="cpu", backend="torch"), "fp32")


def encoder_of(folder: Path, pooling: str = "mean", modules: tuple[str, ...] = ()) -> Path:
    made = sentence_encoder(folder, pooling, modules)
    (made / "sentence_bert_config.json").write_text('{"max_seq_length": 128}', encoding="utf-8")
    return made


def branch_of(encoder: Path, folder: Path, shared: int, layers: int, seed: int = 5) -> Path:
    """A classifier of so many layers, of which the first are those of the encoder."""
    shutil.copytree(encoder, folder, ignore=shutil.ignore_patterns("*_*", "modules.json"))
    shutil.copy(encoder / "tokenizer_config.json", folder)
    body = BertModel.from_pretrained(encoder)
    torch.manual_seed(seed)
    config = {**body.config.to_dict(), "num_hidden_layers": layers}
    named = {"id2label": dict(enumerate(SENTIMENT))}
    network = BertForSequenceClassification(BertConfig(**{**config, **named}))
    network.bert.embeddings.load_state_dict(body.embeddings.state_dict())
    for ours, theirs in zip(network.bert.encoder.layer[:shared], body.encoder.layer, strict=False):
        ours.load_state_dict(theirs.state_dict())
    network.eval().save_pretrained(folder)
    return folder


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path]:
    encoder = encoder_of(tmp_path / "encoder")
    return encoder, branch_of(encoder, tmp_path / "branch", shared=1, layers=2)


def score(encoder, classifier, run=EXACT, needs=None, texts=LONG, **options):
    """Scores of both in one run, and of each alone."""
    asked = {
        "sentiment": {"model": classifier},
        "topics": {"kind": "embedding", "model": encoder, "labels": LABELS, **options},
    }
    known = Known(needs=needs or {})
    plan = plan_scores(asked, {"overlap": 16})
    alone = [score_texts(replace(plan, scores=(s,)), texts, run, known=known) for s in plan.scores]
    return score_texts(plan, texts, run, known=known), alone


def assert_scores_of_both(found, alone, tolerance=1e-5):
    for name, own in zip(("sentiment", "topics"), alone, strict=True):
        expected = values(own, name)
        assert np.nanstd(expected) > 0.01
        np.testing.assert_allclose(values(found, name), expected, atol=tolerance)
    assert found.n_tokens.tolist() == alone[0].n_tokens.tolist()
    assert found.n_windows.tolist() == np.maximum(*(own.n_windows for own in alone)).tolist()


def reads_once(found, alone, label_sentences=0) -> bool:
    """Whether each text went through one network only."""
    assert alone[0].tally.read == alone[1].tally.read - label_sentences > 0
    return found.tally.read == alone[0].tally.read


@pytest.mark.parametrize(
    ("pooling", "shared", "layers", "backend"),
    [
        *((pooling, *n, "torch") for pooling in POOLING for n in [(1, 2), (1, 3), (2, 2), (2, 3)]),
        ("cls", 2, 3, "openvino"),
        pytest.param("mean", 1, 3, "openvino", marks=pytest.mark.slow),
        pytest.param("max", 2, 2, "openvino", marks=pytest.mark.slow),
    ],
)
def test_one_pass_gives_the_scores_of_two(tmp_path, pooling, shared, layers, backend):
    encoder = encoder_of(tmp_path / "encoder", pooling)
    branch = branch_of(encoder, tmp_path / "branch", shared, layers)
    run = running(Compute(device="cpu", backend=backend), "fp32")
    found, alone = score(encoder, branch, run)
    assert reads_once(found, alone)
    assert found.n_windows.max() > 1, "no long document was among them"
    assert_scores_of_both(found, alone)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_one_pass_in_other_precisions_is_as_near_as_two(pair, precision):
    run = running(Compute(device="cpu", backend="openvino"), precision)
    found, alone = score(*pair, run)
    assert reads_once(found, alone)
    assert_scores_of_both(found, alone, 0.05)


def test_packed_sequences_are_read_in_one_pass_too(pair, monkeypatch):
    _, alone = score(*pair)
    _torch_network._load.cache_clear()
    monkeypatch.setattr(_torch_network, "can_pack", lambda *_: True)
    try:
        found, _ = score(*pair)
    finally:
        _torch_network._load.cache_clear()
    assert reads_once(found, alone)
    assert_scores_of_both(found, alone)


def test_several_branches_of_one_body_are_read_together(tmp_path):
    encoder = encoder_of(tmp_path / "encoder")
    kinds = {
        name: {"model": branch_of(encoder, tmp_path / name, 1, 2, seed=seed)}
        for seed, name in enumerate(("mood", "register"))
    }
    plan = plan_scores(
        {**kinds, "topics": {"kind": "embedding", "model": encoder, "labels": LABELS}}
    )
    found = score_texts(plan, TEXTS, EXACT)
    for one in plan.scores:
        alone = score_texts(replace(plan, scores=(one,)), TEXTS, EXACT)
        assert alone.tally.read == found.tally.read
        np.testing.assert_allclose(values(found, one.name), values(alone, one.name), atol=1e-5)


def test_the_order_of_the_job_changes_nothing(pair):
    encoder, branch = pair
    asked = {
        "topics": {"kind": "embedding", "model": encoder, "labels": LABELS},
        "sentiment": {"model": branch},
    }
    found, other = score_texts(plan_scores(asked), TEXTS, EXACT), score(*pair, texts=TEXTS)[0]
    for name in asked:
        np.testing.assert_array_equal(values(found, name), values(other, name))


@pytest.mark.parametrize("changed", ["embeddings.word_embeddings.weight", "encoder.layer.0."])
def test_one_other_weight_in_what_they_share_and_each_reads_alone(pair, changed):
    encoder, branch = pair
    weights = load_file(branch / "model.safetensors")
    name = next(name for name in weights if changed in name)
    weights[name].view(-1)[-1] += 1e-6
    save_file(weights, branch / "model.safetensors", metadata={"format": "pt"})
    found, alone = score(encoder, branch)
    assert not reads_once(found, alone)
    assert_scores_of_both(found, alone)


@pytest.mark.parametrize(
    "key, value", [("layer_norm_eps", 1e-3), ("num_attention_heads", 2), ("hidden_act", "relu")]
)
def test_layers_that_compute_otherwise_are_not_shared(pair, key, value):
    encoder, branch = pair
    config = json.loads((branch / "config.json").read_text(encoding="utf-8"))
    (branch / "config.json").write_text(json.dumps({**config, key: value}), encoding="utf-8")
    found, alone = score(encoder, branch)
    assert not reads_once(found, alone)
    assert_scores_of_both(found, alone)


def shards(folder: Path, weights: dict[str, torch.Tensor], names: list[str]) -> None:
    """Saves weights in two files that an index lists."""
    (folder / "model.safetensors").unlink(missing_ok=True)
    half = len(weights) // 2
    placed = {}
    for name, part in zip(names, (list(weights)[:half], list(weights)[half:]), strict=True):
        save_file({key: weights[key] for key in part}, folder / name, metadata={"format": "pt"})
        placed |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def test_only_files_that_the_index_lists_tell_what_is_shared(pair):
    encoder, branch = pair
    weights = load_file(branch / "model.safetensors")
    shards(
        branch, weights, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    )
    found, alone = score(encoder, branch)
    assert reads_once(found, alone)
    assert_scores_of_both(found, alone)
    # an earlier save in three files, of which the later one in two left the last lying about
    save_file(weights, branch / "model-00003-of-00003.safetensors", metadata={"format": "pt"})
    other = {k: v + 0.1 if "encoder.layer.0" in k else v for k, v in weights.items()}
    shards(branch, other, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"])
    found, alone = score(encoder, branch)
    assert not reads_once(found, alone)
    assert_scores_of_both(found, alone)


@pytest.mark.parametrize("prefix", ["", "roberta."])
def test_a_second_body_in_the_file_is_not_taken_for_the_one_that_is_loaded(pair, prefix):
    encoder, branch = pair
    body = {f"{prefix}{k}": v for k, v in load_file(encoder / "model.safetensors").items()}
    own = load_file(branch / "model.safetensors")
    own = {k: v + 0.1 if "encoder.layer.0" in k else v for k, v in own.items()}
    save_file(own | body, branch / "model.safetensors", metadata={"format": "pt"})
    found, alone = score(encoder, branch)
    assert not reads_once(found, alone)
    assert_scores_of_both(found, alone)


def test_another_window_or_prompt_and_each_reads_alone(pair):
    encoder, branch = pair
    found, alone = score(encoder, branch, prompt="query: ")
    assert found.tally.read == alone[0].tally.read + alone[1].tally.read
    (encoder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}', encoding="utf-8")
    found, alone = score(encoder, branch)
    assert found.tally.read == alone[0].tally.read + alone[1].tally.read
    assert_scores_of_both(found, alone)


def test_texts_that_only_one_score_needs_are_read_by_it_alone(pair):
    every, few = np.ones(len(LONG), dtype=bool), np.arange(len(LONG)) % 3 == 0
    found, alone = score(*pair, needs={"sentiment": few, "topics": every})
    assert_scores_of_both(found, [replace(alone[0], n_tokens=found.n_tokens), alone[1]])
    assert found.tally.read == alone[0].tally.read + alone[1].tally.read
    found, alone = score(*pair, needs={"sentiment": few, "topics": few})
    assert found.tally.read == alone[0].tally.read == alone[1].tally.read


def test_a_score_that_waits_for_another_is_read_after_it(pair):
    encoder, branch = pair
    topics = {"kind": "embedding", "model": encoder, "labels": LABELS}
    top = values(score_texts(plan_scores({"mood": {"model": branch}}), TEXTS, EXACT), "mood")
    first = int(top.argmax(axis=1)[0])
    asked = {"mood": {"model": branch}, "topics": {**topics, "when": {"mood": [SENTIMENT[first]]}}}
    found = score_texts(plan_scores(asked), TEXTS, EXACT)
    of_it = values(found, "mood").argmax(axis=1) == first
    assert 0 < of_it.sum() < len(TEXTS)
    assert (np.isfinite(values(found, "topics")).all(axis=1) == of_it).all()


def test_the_bundled_models_share_four_layers_also_as_copies(tmp_path):
    encoder, sentiment = (resolve_model("bundled", None, k) for k in ("encoder", "sentiment"))
    assert shared_layers(encoder, sentiment) == 4
    shutil.copytree(sentiment.folder, tmp_path / "copied", symlinks=False)
    copied = resolve_model(str(tmp_path / "copied"), None, "sentiment")
    assert not any(path.is_symlink() for path in (tmp_path / "copied").iterdir())
    assert shared_layers(encoder, copied) == 4
