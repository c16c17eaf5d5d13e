"""Every backend gives the reference's scores, alone, in company and from several threads."""

import gc
import random
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from openvino import opset13
from transformers import (
    AutoModelForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import (
    Reading,
    _openvino_conversion,
    _openvino_network,
    backends,
    let_go,
    make_ready,
    pick_backend,
)
from nocturna.tasks.inference.backends._openvino_kept import read_conversion
from nocturna.tasks.inference.backends._openvino_network import OpenVinoNetwork
from nocturna.tasks.inference.backends._torch_network import TorchNetwork
from nocturna.tasks.inference.batches import Sequence
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.precision import fastest, measure_precisions
from nocturna.tasks.inference.readout import FirstPosition, Logits, classifier_reading
from nocturna.tasks.inference.reference import reference_scores
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute, Tolerance
from tests.inference.plans import plan_scores, values
from tests.inference.sweep import tiny_classifier
from tests.models import (
    NLI,
    SENTIMENT,
    TEXTS,
    bert_classifier,
    roberta_classifier,
    sentence_encoder,
    wordpiece,
)

COMPANY = {"torch fp32": 1e-5, "openvino fp32": 1e-5, "openvino bf16": 0.04, "openvino int8": 0.1}
"""How much a score of these small models may depend on the batch; docs/performance.md says why."""

SAMPLE = [" ".join(random.Random(i).choices(" ".join(TEXTS).split(), k=i)) for i in range(1, 90, 2)]
FAST = ("fp32", *backends()["openvino"].faster_in("cpu"))
LABELS, TEMPLATE = ("política", "estadística"), "Este ejemplo es {}."


def run_of(way: str, workers: int = 2):
    backend, precision = way.split()
    if precision not in FAST:
        pytest.skip(f"this processor does not compute in {precision}")
    return running(Compute(device="cpu", backend=backend, workers=workers), precision)


def resolved(folder: Path):
    return resolve_model(str(folder), None, "sentiment")


@pytest.fixture(scope="module")
def plans(tmp_path_factory) -> dict[str, InferencePlan]:
    folder = tmp_path_factory.mktemp("models")
    sentiment = {"model": bert_classifier(folder / "s")}
    roberta = {"model": roberta_classifier(folder / "r", SENTIMENT)}
    zero_shot = {"labels": LABELS, "template": TEMPLATE}
    asked = {"model": bert_classifier(folder / "n", labels=NLI), **zero_shot}
    encoder = sentence_encoder(folder / "e")
    compared = {"kind": "embedding", "model": encoder, "temperature": 0.1, **zero_shot}
    long = {"overlap": 16}
    return {
        "bert": plan_scores({"sentiment": sentiment, "topic": asked}, long),
        "roberta": plan_scores({"sentiment": roberta}, long),
        "embedding": plan_scores({"topic": compared}, long),
    }


def all_scores(scores) -> np.ndarray:
    return np.hstack([score.values for score in scores.by_name.values()])


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=() if way.endswith("fp32") else pytest.mark.slow) for way in COMPANY],
)
@pytest.mark.parametrize(
    "name",
    [
        "bert",
        pytest.param("roberta", marks=pytest.mark.slow),
        pytest.param("embedding", marks=pytest.mark.slow),
    ],
)
def test_scores_do_not_depend_on_company(plans, name, way):
    plan, run = plans[name], run_of(way)
    texts = TEXTS + SAMPLE
    alone = np.vstack([all_scores(score_texts(plan, [text], run)) for text in texts])
    for seed, batch_tokens in ((1, 64), (2, 300), (3, 4000)):
        order = random.Random(seed).sample(range(len(texts)), k=len(texts))
        run = replace(run, batch_tokens=batch_tokens)
        together = all_scores(score_texts(plan, [texts[i] for i in order], run))
        assert np.abs(together - alone[order]).max() <= COMPANY[way]
    assert np.ptp(alone, axis=0).max() > 0.05, "the model gives everything the same score"


@pytest.mark.parametrize("way", COMPANY)
@pytest.mark.parametrize("name", ["bert", "roberta", "embedding"])
def test_a_backend_gives_the_references_scores(plans, name, way):
    texts, run = TEXTS + SAMPLE, run_of(way)
    found = all_scores(score_texts(plans[name], texts, run))
    exact = all_scores(reference_scores(plans[name], texts, run))
    error = np.abs(found - exact).max()
    assert error <= COMPANY[way]
    assert error > 0 or way == "torch fp32", "the reference was compared with itself"


@pytest.mark.parametrize("able", [(), ("bf16", "int8")])
def test_bf16_is_asked_of_processors_that_have_it(monkeypatch, able):
    monkeypatch.setattr(_openvino_network, "computes_in", lambda: able)
    value = opset13.parameter([-1, 4], openvino.Type.f32)
    model = openvino.Model([opset13.relu(value)], [value])
    settings = []
    monkeypatch.setattr(
        openvino.Core, "compile_model", lambda self, model, device, given: settings.append(given)
    )
    for precision in ("fp32", "bf16", "int8"):
        _openvino_network._compile(model, precision, 1)
    hints = [given["INFERENCE_PRECISION_HINT"] for given in settings]
    assert hints == ["f32", "bf16" if able else "f32", "f32"]


@pytest.mark.parametrize("way", ["openvino bf16", "openvino int8"])
def test_a_decoder_with_gated_layers_has_the_references_scores(way, tmp_path):
    folder = tiny_classifier(tmp_path / "m", "llama")
    plan = plan_scores({"sentiment": {"model": folder}}, {"policy": "truncate"})
    found = all_scores(score_texts(plan, TEXTS, run_of(way)))
    exact = all_scores(reference_scores(plan, TEXTS, run_of(way)))
    assert 0 < np.abs(found - exact).max() <= COMPANY[way]


@pytest.mark.parametrize(
    "way",
    [
        "openvino fp32",
        pytest.param("openvino bf16", marks=pytest.mark.slow),
        pytest.param("openvino int8", marks=pytest.mark.slow),
    ],
)
def test_threads_that_share_a_backend_do_not_disturb_each_other(plans, way):
    plan, run = plans["bert"], run_of(way, workers=4)
    texts = TEXTS + SAMPLE
    quiet = all_scores(score_texts(plan, texts, run))
    with ThreadPoolExecutor(4) as pool:
        busy = list(pool.map(lambda _: all_scores(score_texts(plan, texts, run)), range(12)))
    for scores in busy:
        assert np.abs(scores - quiet).max() == 0


@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
@pytest.mark.parametrize("padded", [True, False])
def test_a_last_layer_of_one_position_gives_the_plain_forwards_logits(tmp_path, make, padded):
    folder = make(tmp_path / "m", labels=SENTIMENT)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.randint(5, 100, (4, 17), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    if padded:
        ids[1:3, 11:], mask[1:3, 11:] = network.config.pad_token_id, 0
    reading = classifier_reading(network)
    assert isinstance(reading, FirstPosition)
    with torch.inference_mode():
        expected = Logits(network)(ids, attention_mask=mask)
        found = reading(ids, attention_mask=mask if padded else None)
    assert torch.allclose(found, expected, atol=1e-5)
    assert expected.std() > 0.05


def test_an_architecture_that_does_not_fit_takes_the_plain_forward(tmp_path):
    vocabulary = wordpiece(tmp_path)
    config = DistilBertConfig(
        vocab_size=vocabulary, dim=32, n_layers=2, n_heads=4, hidden_dim=64, num_labels=3
    )
    network = DistilBertForSequenceClassification(config).eval()
    network.save_pretrained(tmp_path)
    assert isinstance(classifier_reading(network), Logits)
    plan = plan_scores({"sentiment": {"model": tmp_path}})
    run = run_of("openvino fp32")
    found, exact = score_texts(plan, TEXTS, run), reference_scores(plan, TEXTS, run)
    assert np.abs(all_scores(found) - all_scores(exact)).max() < 1e-5


class Branching(torch.nn.Module):
    """A network whose trace is wrong for other lengths than the traced one."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids, token_type_ids=None, attention_mask=None):
        logits = self.network(input_ids=input_ids).logits
        return logits if input_ids.shape[1] < 8 else -logits


def test_a_conversion_that_differs_from_torch_is_not_used(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    reading = Reading("branching", True, lambda network: Branching(network).eval())
    run = run_of("openvino fp32")
    assert isinstance(make_ready(resolved(folder), reading, 1, True, run), TorchNetwork)


def loaded(folder: Path, precision: str = "fp32"):
    reading = Reading("logits", True, classifier_reading)
    _openvino_network._load.cache_clear()
    return make_ready(resolved(folder), reading, 1, True, run_of(f"openvino {precision}"))


@pytest.mark.slow
def test_a_model_is_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / "cache"))
    folder = bert_classifier(tmp_path / "m")
    batch = [Sequence(np.array([2, 9, 8, 3], dtype=np.int32), np.zeros(4, dtype=np.int32))]
    first = loaded(folder).forward(batch)
    (kept,) = (tmp_path / "cache" / "openvino").iterdir()

    def refuse(*_):
        raise AssertionError("converted again")

    with monkeypatch.context() as patch:
        patch.setattr(_openvino_conversion, "convert", refuse)
        again = loaded(folder)
        assert isinstance(again, OpenVinoNetwork)
        assert np.array_equal(again.forward(batch), first)
    loaded(folder, "int8")
    loaded(bert_classifier(tmp_path / "other", seed=5))
    assert len(list(kept.parent.iterdir())) == 3


QUICK = {("changed", "model.bin")}
DAMAGES = [
    pytest.param(damage, name, marks=() if (damage, name) in QUICK else pytest.mark.slow)
    for damage in ("cut", "changed", "gone")
    for name in ("model.bin", "model.xml", "about.json")
]


@pytest.mark.parametrize(("damage", "name"), DAMAGES)
def test_a_damaged_conversion_is_made_anew(tmp_path, monkeypatch, name, damage):
    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / "cache"))
    folder = bert_classifier(tmp_path / "m")
    batch = [Sequence(np.array([2, 9, 8, 3], dtype=np.int32), np.zeros(4, dtype=np.int32))]
    first = loaded(folder).forward(batch)
    (kept,) = (tmp_path / "cache" / "openvino").iterdir()
    whole = (kept / name).read_bytes()
    if damage == "gone":
        (kept / name).unlink()
    else:
        middle = len(whole) // 2
        rest = b"" if damage == "cut" else bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        (kept / name).write_bytes(whole[:middle] + rest)
    assert np.array_equal(loaded(folder).forward(batch), first)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert read_conversion(kept) is not None


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / "file"))
    assert isinstance(loaded(bert_classifier(tmp_path / "m")), OpenVinoNetwork)


def test_auto_takes_the_fastest_precision_within_the_tolerance(plans):
    compute = Compute(device="cpu", workers=1)
    wide = measure_precisions(plans["bert"], TEXTS, compute, Tolerance(score=1, changed_labels=0.9))
    assert [m.precision for m in wide] == list(FAST)
    assert all(m.within for m in wide)
    assert fastest(wide) == min(wide, key=lambda m: m.seconds).precision
    narrow = measure_precisions(plans["bert"], TEXTS, compute, Tolerance(score=1e-4))
    assert [m.precision for m in narrow if m.within] == ["fp32"]
    assert fastest(narrow) == "fp32"


def test_auto_takes_the_fastest_backend_that_can():
    assert pick_backend("auto", "cpu", "int8") == "openvino"
    assert pick_backend("auto", "cuda", "bf16") == "torch"
    assert pick_backend("torch", "cpu", "bf16") == "torch"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("torch", "cpu", "int8"), "int8 needs backend openvino on device cpu; set it to fp32 or"),
        (("auto", "mps", "int8"), "int8 needs backend openvino on device cpu; set it to fp32 or"),
        (("openvino", "cuda", "fp32"), "openvino does not run on device cuda here; set backend to"),
        (("gone", "cpu", "fp32"), "no backend 'gone'; give one of auto, openvino, torch"),
    ],
)
def test_a_backend_that_cannot_is_one_clear_line(asked, said):
    with pytest.raises(UsageError, match=said):
        pick_backend(*asked)


FIRST_CALLS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
from nocturna.tasks.inference.batches import Sequence
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.sequence_model import load_classifier
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.job.job import Compute

run = running(Compute(device="cpu", backend="openvino", workers=4), "fp32")
together = Barrier(4)

def first(_):
    model = load_classifier(resolve_model(sys.argv[1], None, "sentiment"), run)
    together.wait()
    return model.network.forward([Sequence(np.arange(5, 9, dtype=np.int32), None)])

with ThreadPoolExecutor(4) as pool:
    assert len({found.tobytes() for found in pool.map(first, range(4))}) == 1
"""


@pytest.mark.slow
def test_threads_may_make_the_first_call_together(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    loaded(folder)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", FIRST_CALLS, str(folder)], check=True, timeout=120)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_networks_that_are_let_go_are_gone_and_can_be_asked_for_again(tmp_path, backend):
    encoder = sentence_encoder(tmp_path / "m")
    plan = plan_scores({"topic": {"kind": "embedding", "model": encoder, "labels": ["a", "b"]}})
    run = running(Compute(device="cpu", backend=backend), "fp32")
    first = score_texts(plan, TEXTS, run)
    network = weakref.ref(load_encoder(plan.scores[0].model, run).network)
    assert network() is not None
    let_go()
    gc.collect()
    assert network() is None
    assert (values(score_texts(plan, TEXTS, run), "topic") == values(first, "topic")).all()
