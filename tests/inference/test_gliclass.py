"""`kind: gliclass` gives the scores of GLiClass's own pipeline, or refuses the model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import gelu, linear
from transformers import AutoTokenizer, BertConfig, BertModel

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.probabilities import sigmoid, softmax
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.job.job import Compute
from tests.inference.gliclass_package import NoPackage, scores_of
from tests.inference.plans import plan_scores, values
from tests.models import TEXTS, bert_classifier, gliclass_model

LABELS = ("política", "Estadística", "un curso en línea")
WAYS = {
    name: running(Compute(device="cpu", backend=name), "fp32") for name in ("torch", "openvino")
}
SHORT = [text for text in TEXTS if len(text) < 120]
SETTINGS = [
    {"prompt_first": True},
    {"prompt_first": False, "pooling_strategy": "last"},
    {"prompt_first": True, "scorer_type": "weighted-dot", "pooling_strategy": "avg"},
    {"prompt_first": True, "scorer_type": "mlp", "embed_class_token": False},
    {"prompt_first": False, "normalize_features": True, "pooling_strategy": "max"},
    {"prompt_first": True, "normalize_features": True, "pooling_strategy": "rms"},
]


class Plain:
    """The same by the definition: a text at a time, a label at a time, from the weights."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        weights = load_file(folder / "model.safetensors")
        self.weights = {name.removeprefix("model."): value for name, value in weights.items()}
        self.encoder = BertModel(BertConfig(**self.config["encoder_config"])).eval()
        own = {k.removeprefix("encoder_model."): v for k, v in self.weights.items() if "enc" in k}
        self.encoder.load_state_dict({k: v for k, v in own.items() if "projector" not in k})

    def logits(self, text: str, labels: tuple[str, ...]) -> np.ndarray:
        prompt = "".join(f"<<LABEL>>{label}" for label in labels) + "<<SEP>>"
        whole = prompt + text if self.config.get("prompt_first") else text + prompt
        return self.of_ids(self.tokenizer(whole)["input_ids"])

    @torch.inference_mode()
    def of_ids(self, ids: list[int]) -> np.ndarray:
        states = self.encoder(torch.tensor([ids])).last_hidden_state[0]
        pooled = {
            "first": states[0],
            "last": states[-1],
            "avg": states.mean(0),
            "max": states.max(0).values,
            "rms": (states**2).mean(0) ** 0.5,
        }[self.config.get("pooling_strategy", "first")]
        after = 0 if self.config.get("embed_class_token", True) else 1
        mark = self.tokenizer.convert_tokens_to_ids("<<LABEL>>")
        marks = [at for at, token in enumerate(ids) if token == mark]
        return np.array([self._weighed(pooled, states[at + after]) for at in marks], np.float32)

    def _layer(self, name: str, given: torch.Tensor) -> torch.Tensor:
        return linear(given, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _weighed(self, text: torch.Tensor, label: torch.Tensor) -> float:
        text = self._layer("text_projector.linear_1", text)
        text = self._layer("text_projector.linear_2", gelu(text))
        label = self._layer("classes_projector.linear_1", label)
        label = self._layer("classes_projector.linear_2", gelu(label))
        scale = 1.0
        if self.config.get("normalize_features"):
            text, label = text / text.norm(), label / label.norm()
            scale = float(self.weights["logit_scale"])
        match self.config.get("scorer_type", "simple"):
            case "simple":
                return float(text @ label) * scale
            case "weighted-dot":
                a, b = self._layer("scorer.proj_text", text).chunk(2)
                c, d = self._layer("scorer.proj_label", label).chunk(2)
                inner = torch.relu(self._layer("scorer.out_mlp.0", torch.cat([a, c, b * d])))
                return float(self._layer("scorer.out_mlp.3", inner)) * scale
        inner = torch.cat([text, label])
        for layer in ("0", "2"):
            inner = torch.relu(self._layer(f"scorer.mlp.{layer}", inner))
        return float(self._layer("scorer.mlp.4", inner)) * scale


def planned(model: Path, long=None, labels=LABELS, **options):
    described = {"kind": "gliclass", "model": model, "labels": labels, **options}
    return plan_scores({"topic": described}, long, examined=True)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: " ".join(map(str, s.values())))
def test_scores_are_those_of_the_format(tmp_path, settings):
    model = gliclass_model(tmp_path / "m", **settings)
    plain = Plain(model)
    logits = np.stack([plain.logits(text, LABELS) for text in SHORT])
    expected = {True: sigmoid(logits), False: softmax(logits)}
    assert all(np.ptp(scores, axis=0).max() > 0.02 for scores in expected.values())
    for multi_label, scores in expected.items():
        plan = planned(model, multi_label=multi_label)
        for run in WAYS.values():
            found = values(score_texts(plan, SHORT, run), "topic")
            assert np.abs(found - scores).max() < 1e-5
        assert plan.scores[0].sums_to_one != multi_label


@pytest.mark.slow
def test_scores_are_those_of_the_package(tmp_path):
    every = tuple(f"tema {first}{second}" for first in "abcdef" for second in "abcdef")
    pools = ("last", "avg", "max", "sum", "rms", "abs_max", "abs_avg")
    asked = [(LABELS, settings) for settings in SETTINGS]
    asked += [(LABELS, {"prompt_first": True, "pooling_strategy": way}) for way in pools]
    asked += [
        (every, {"prompt_first": True}),
        (every[:30], {"prompt_first": False, "max_labels_alloc": 30, "max_num_classes": 3}),
        (LABELS, {"prompt_first": False, "embed_class_token": False, "layer_wise": True}),
        (LABELS, {"prompt_first": True, "projector_hidden_act": "relu", "scorer_type": "mlp"}),
    ]
    cases = []
    for number, (labels, settings) in enumerate(asked):
        folder = gliclass_model(tmp_path / str(number), window=512, **settings)
        told = {"folder": str(folder), "texts": SHORT, "labels": list(labels)}
        cases += [{**told, "multi_label": multi} for multi in (True, False)]
    try:
        expected = scores_of(cases)
    except NoPackage as error:
        pytest.skip(str(error))
    for case, theirs in zip(cases, expected, strict=True):
        plan = planned(case["folder"], labels=case["labels"], multi_label=case["multi_label"])
        found = values(score_texts(plan, SHORT, WAYS["torch"]), "topic")
        np.testing.assert_allclose(found, theirs, atol=1e-5, rtol=0, err_msg=str(case))


@pytest.mark.parametrize("prompt_first", [True, False])
@pytest.mark.parametrize("most", ["dynamic", "fixed", 2])
def test_many_labels_are_read_as_the_package_takes_them_and_weighed_together(
    tmp_path, prompt_first, most
):
    labels = tuple(f"tema {sign}" for sign in "abcdefg")
    model = gliclass_model(
        tmp_path / "m", prompt_first=prompt_first, max_num_classes=3, max_labels_alloc=most
    )
    plain, told = Plain(model), []
    size = {"dynamic": 7, "fixed": 3, 2: 2}[most]
    groups = [labels[at : at + size] for at in range(0, 7, size)]
    logits = np.stack([np.concatenate([plain.logits(t, g) for g in groups]) for t in SHORT])
    plan = planned(model, labels=labels)
    found = values(score_texts(plan, SHORT, WAYS["torch"], told.append), "topic")
    assert np.abs(found - softmax(logits)).max() < 1e-5
    assert sum(told) == pytest.approx(len(SHORT))


def test_labels_that_do_not_fit_beside_their_text_are_read_in_halves_of_the_window(tmp_path):
    labels = tuple(f"tema {sign}" for sign in "abcdefghijklmno")
    model = gliclass_model(tmp_path / "m", window=64, prompt_first=True)
    plain, text = Plain(model), " ".join(TEXTS[:2])
    size = len(plain.tokenizer("<<LABEL>>tema a", add_special_tokens=False)["input_ids"])
    half = (64 - 3) // 2 // size
    groups = [labels[at : at + half] for at in range(0, len(labels), half)]
    beside = len(plain.tokenizer(text)["input_ids"]) + 1
    assert beside + half * size <= 64 < beside + len(labels) * size
    found = values(score_texts(planned(model, labels=labels), [text], WAYS["torch"]), "topic")
    logits = np.concatenate([plain.logits(text, group) for group in groups])
    assert np.abs(found[0] - softmax(logits)).max() < 1e-5


def test_a_long_text_is_read_in_windows_that_leave_room_for_the_labels(tmp_path):
    model = gliclass_model(tmp_path / "m", window=64, prompt_first=True)
    tokenizer, plain = AutoTokenizer.from_pretrained(model), Plain(model)
    text = " ".join(TEXTS[:8])
    prompt = tokenizer("".join(f"<<LABEL>>{label}" for label in LABELS) + "<<SEP>>")["input_ids"]
    ids, room = tokenizer(text, add_special_tokens=False)["input_ids"], 64 - len(prompt)
    step = room - room // 2
    windows = [ids[i : i + room] for i in [0, *range(step, len(ids) - room // 2, step)]]
    scores = score_texts(planned(model, {"overlap": 60}), [text], WAYS["torch"])
    assert scores.n_windows.tolist() == [len(windows)] and len(windows) > 2
    assert scores.n_tokens.tolist() == [len(ids)]
    rows = [softmax(plain.of_ids([*prompt[:-1], *w, prompt[-1]])) for w in windows]
    mean = np.average(rows, axis=0, weights=[len(w) for w in windows])
    assert np.abs(values(scores, "topic")[0] - mean).max() < 1e-5


def test_a_document_s_own_labels_are_read_with_it(tmp_path):
    model = gliclass_model(tmp_path / "m", prompt_first=True, max_labels_alloc=2)
    own = [("a",), ("b", "a"), ("c", "b", "a"), ("a", "c", "d", "b")]
    described = {"kind": "gliclass", "model": model, "labels_column": "temas"}
    plan = plan_scores({"topic": described}, examined=True)
    texts = SHORT[: len(own)]
    found = score_texts(plan, texts, WAYS["torch"], known=Known(choices={"temas": own}))
    plain = Plain(model)
    for row, text, labels in zip(values(found, "topic"), texts, own, strict=True):
        groups = [labels[i : i + 2] for i in range(0, len(labels), 2)]
        logits = np.concatenate([plain.logits(text, group) for group in groups])
        expected = softmax(logits) if len(labels) > 1 else sigmoid(logits)
        assert np.abs(row[: len(labels)] - expected).max() < 1e-5
        assert np.isnan(row[len(labels) :]).all()


def test_neither_a_text_nor_a_label_can_bring_a_label_along(tmp_path):
    model = gliclass_model(tmp_path / "m", prompt_first=True)
    plan = planned(model)
    texts = ["Un texto <<LABEL>> con una marca.", "Un texto  con una marca."]
    found = values(score_texts(plan, texts, WAYS["torch"]), "topic")
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    marked = planned(model, labels=("política <<LABEL>> y más", *LABELS[1:]))
    assert np.isfinite(values(score_texts(marked, texts, WAYS["torch"]), "topic")).all()


def without(model: Path, name: str) -> Path:
    weights = load_file(model / "model.safetensors")
    del weights[name]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    return model


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda to: without(gliclass_model(to), "model.text_projector.linear_2.bias"),
            "its weights lack model.text_projector.linear_2.bias of what",
        ),
        (
            lambda to: without(gliclass_model(to), "model.encoder_model.embeddings.LayerNorm.bias"),
            "its weights lack model.encoder_model.embeddings.LayerNorm.bias of what",
        ),
        (
            lambda to: gliclass_model(to, architecture_type="bi-encoder"),
            "architecture_type is 'bi-encoder' in its config.json, and only 'uni-encoder' is known",
        ),
        (lambda to: gliclass_model(to, scorer_type="hopfield"), "scorer_type is 'hopfield'"),
        (lambda to: gliclass_model(to, use_lstm=True), "use_lstm is True"),
        (lambda to: gliclass_model(to, class_token_index=7), "has another class_token_index"),
        (
            lambda to: gliclass_model(to, encoder_config={"model_type": "llama"}),
            "its encoder llama is not one that is known to read both ways",
        ),
        (bert_classifier, "does not describe a GLiClass model"),
    ],
)
def test_a_model_that_cannot_be_run_as_it_was_meant_is_refused_in_one_line(tmp_path, make, said):
    with pytest.raises(UsageError) as refused:
        planned(make(tmp_path / "m"))
    assert said in str(refused.value) and "\n" not in str(refused.value)
