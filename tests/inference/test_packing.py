"""Packed sequences get the scores that they get alone."""

import random

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from nocturna.tasks.inference.backends import _torch_network
from nocturna.tasks.inference.backends._torch_network import PackedNetwork, can_pack
from nocturna.tasks.inference.batches import Sequence
from nocturna.tasks.inference.packing import pack
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.readout import (
    Embedding,
    Logits,
    packed_classifier,
    packed_encoder,
)
from nocturna.tasks.inference.reference import deviation, reference_scores
from nocturna.tasks.inference.running import Tally, running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.inference.sequence_model import load_classifier
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores
from tests.models import NLI, SENTIMENT, TEXTS, bert_classifier, roberta_classifier, wordpiece

CPU = torch.device("cpu")
LENGTHS = (17, 3, 60, 4, 17)
with_gpu = pytest.mark.skipif(
    not torch.cuda.is_available() or not can_pack(torch.device("cuda"), "bf16"),
    reason="needs a GPU that flash attention runs on",
)


def sequences(types: bool) -> list[Sequence]:
    rng = np.random.default_rng(0)
    rows = [rng.integers(5, 100, length).astype(np.int32) for length in LENGTHS]
    halves = [(np.arange(length) > length // 2).astype(np.int32) for length in LENGTHS]
    return [
        Sequence(ids, half if types and i % 2 else None)
        for i, (ids, half) in enumerate(zip(rows, halves, strict=True))
    ]


def alone(module: torch.nn.Module, batch: list[Sequence]) -> torch.Tensor:
    found = []
    for item in batch:
        inputs = {"input_ids": torch.from_numpy(item.ids.astype(np.int64)[None])}
        if item.types is not None:
            inputs["token_type_ids"] = torch.from_numpy(item.types.astype(np.int64)[None])
        found.append(module(**inputs)[0])
    return torch.stack(found)


@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
@torch.inference_mode()
def test_packed_logits_are_those_of_each_sequence_alone(tmp_path, make):
    folder = make(tmp_path / "m", labels=SENTIMENT)
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    packed = packed_classifier(AutoModelForSequenceClassification.from_pretrained(folder).eval())
    batch = sequences(types=make is bert_classifier)
    expected = alone(Logits(plain), batch)
    assert expected.std() > 0.05
    assert torch.allclose(packed(pack(batch, CPU)), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
@torch.inference_mode()
def test_packed_embeddings_are_those_of_each_text_alone(tmp_path, make, pooling):
    folder = make(tmp_path / "m", labels=SENTIMENT)
    plain, other = (AutoModel.from_pretrained(folder).eval() for _ in range(2))
    batch = sequences(types=False)
    found = packed_encoder(other, pooling)(pack(batch, CPU))
    assert torch.allclose(found, alone(Embedding(plain, (pooling,)), batch), atol=1e-5)


@pytest.fixture
def plan(tmp_path) -> InferencePlan:
    nli = bert_classifier(tmp_path / "n", labels=NLI, seed=3)
    scores = {
        "sentiment": {"model": bert_classifier(tmp_path / "s")},
        "topic": {"model": nli, "labels": ["política", "estadística"]},
    }
    return plan_scores(scores, {"overlap": 16})


def test_a_packed_run_gives_the_references_scores_without_padding(plan, monkeypatch):
    texts = TEXTS + [" ".join(random.Random(i).choices(TEXTS, k=i)) for i in range(1, 9)]
    run = running(Compute(device="cpu", backend="torch"), "fp32")
    exact = reference_scores(plan, texts, run)
    _torch_network._load.cache_clear()
    monkeypatch.setattr(_torch_network, "can_pack", lambda *_: True)
    try:
        assert isinstance(load_classifier(plan.scores[0].model, run).network, PackedNetwork)
        found = score_texts(plan, texts, run)
    finally:
        _torch_network._load.cache_clear()
    assert found.n_windows.max() > 1, "no long document was among them"
    assert found.tally == Tally(read=exact.tally.read, padding=0)
    error = deviation(found, exact)
    assert 0 < error.largest < 1e-5 and error.changed_top == 0


def test_an_architecture_that_is_not_known_is_not_packed(tmp_path):
    config = DistilBertConfig(
        vocab_size=wordpiece(tmp_path), dim=32, n_layers=1, n_heads=4, hidden_dim=64
    )
    assert packed_classifier(DistilBertForSequenceClassification(config)) is None


def test_packing_is_for_gpus():
    assert not can_pack(CPU, "bf16")


@with_gpu
def test_a_gpu_packs_in_bf16_and_stays_near_fp32(plan):
    fast = running(Compute(device="cuda"), "bf16")
    assert isinstance(load_classifier(plan.scores[0].model, fast).network, PackedNetwork)
    found = score_texts(plan, TEXTS, fast)
    assert deviation(found, reference_scores(plan, TEXTS, fast)).largest < 0.04
