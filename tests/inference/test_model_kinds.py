"""A model folder is scored as its authors meant, or refused at planning in one line.

Each test carries the name of the kind of folder that it is about.
"""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, pipeline

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.inference.sequence_model import load_classifier
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores
from tests.inference.plans import values as of
from tests.inference.sweep import tiny_classifier
from tests.models import NLI, SENTIMENT, TEXTS, bert_classifier, sentence_encoder

TOLERANCE = 1e-5
TORCH = running(Compute(device="cpu", backend="torch", workers=1), "fp32")
OPENVINO = running(Compute(device="cpu", backend="openvino", workers=1), "fp32")
SHORT = TEXTS[:9]
LABELS = ("curso", "producto", "gobierno")
TEMPLATE = "Trata de {}."


def planned(sentiment: Path | None = None, **topics) -> InferencePlan:
    """What planning makes of a job with these models, as `--dry-run` and a night do."""
    scores = {"sentiment": {"model": sentiment}} if sentiment else {}
    if topics:
        scores["topic"] = {"labels": list(LABELS), "template": TEMPLATE, **topics}
    return plan_scores(scores, examined=True)


def refusal(*parts: str, **models) -> str:
    with pytest.raises(UsageError) as caught:
        planned(**models)
    line = str(caught.value)
    assert "\n" not in line and all(part in line for part in parts), line
    return line


def edit_json(path: Path, **values) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | values), encoding="utf-8")


def edit_weights(folder: Path, change) -> Path:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return folder


def expected(folder: Path, texts: list[str]) -> np.ndarray:
    run = pipeline("text-classification", model=str(folder), top_k=None, device=-1)
    said = [{found["label"]: found["score"] for found in run([text])[0]} for text in texts]
    return np.array([list(dict(sorted(row.items())).values()) for row in said])


def assert_equal(folder: Path, texts: list[str], run=TORCH) -> None:
    plan = planned(folder)
    order = np.argsort(plan.scores[0].labels)
    scores = of(score_texts(plan, texts, replace(run, batch_tokens=300)), "sentiment")
    assert np.abs(scores[:, order] - expected(folder, texts)).max() < TOLERANCE


def prefixed(weights):
    return {f"backbone.{name}": values.clone() for name, values in weights.items()}


def without_pooler(weights):
    return {name: values for name, values in weights.items() if "pooler" not in name}


def test_mismatched_weight_names(tmp_path):
    encoder = edit_weights(sentence_encoder(tmp_path / "e"), prefixed)
    topics = {"model": str(encoder), "kind": "embedding"}
    line = refusal(str(encoder), "embeddings.LayerNorm.bias", " more", **topics)
    assert "pooler" not in line
    nli = str(bert_classifier(tmp_path / "n", labels=NLI))
    refusal(str(encoder), model=nli, shortlist=2, shortlist_model=str(encoder))
    binary = bert_classifier(tmp_path / "b", safetensors=False)
    weights = torch.load(binary / "pytorch_model.bin", weights_only=True)
    torch.save(prefixed(weights), binary / "pytorch_model.bin")
    refusal(str(binary), "not a trained sequence-classification model", sentiment=binary)


def test_mismatched_weight_names_that_are_known_are_no_reason_to_refuse(tmp_path):
    def older(weights):
        renamed = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, old in renamed.items():
            weights = {name.replace(new, old): values for name, values in weights.items()}
        return weights

    folder = bert_classifier(tmp_path / "m")
    scores = of(score_texts(planned(folder), SHORT, TORCH), "sentiment")
    found = of(score_texts(planned(edit_weights(folder, older)), SHORT, TORCH), "sentiment")
    assert np.array_equal(found, scores)
    encoder = edit_weights(sentence_encoder(tmp_path / "e"), without_pooler)
    planned(model=str(encoder), kind="embedding")


def test_a_pooler_that_the_head_reads_must_be_there(tmp_path):
    folder = edit_weights(bert_classifier(tmp_path / "m"), without_pooler)
    refusal("bert.pooler.dense.bias", sentiment=folder)


def test_weights_of_another_shape_are_refused(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    edit_json(folder / "config.json", intermediate_size=48)
    refusal("another shape (64)", "describes (48)", "intermediate.dense.bias", sentiment=folder)


def test_weights_that_are_not_used_are_said_in_one_line(tmp_path, caplog):
    def more(weights):
        return {**weights, "bert.encoder.extra": torch.zeros(2), "cls.extra": torch.zeros(2)}

    folder = edit_weights(bert_classifier(tmp_path / "m"), more)
    with caplog.at_level(logging.WARNING, "nocturna.tasks"):
        planned(folder)
    assert [r.getMessage() for r in caplog.records] == [
        f"model {folder}: 2 weights of its file are not used, such as bert.encoder.extra"
    ]


def test_no_tokenizer(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    refusal(str(folder), "tokenizer.json", "vocab", sentiment=folder)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    (folder / "tokenizer_config.json").unlink()
    refusal(str(folder), "no vocabulary but special tokens", sentiment=folder)


@pytest.mark.parametrize("run", [TORCH, OPENVINO], ids=["torch", "openvino"])
def test_ids_beyond_embeddings(tmp_path, run):
    folder = bert_classifier(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["zarzuela"])
    tokenizer.save_pretrained(folder)
    texts = [*SHORT, "Anoche vimos una zarzuela preciosa."]
    found = score_texts(planned(folder), texts, run)
    assert np.abs(of(found, "sentiment")[:-1] - expected_in_order(folder, SHORT)).max() < TOLERANCE
    assert np.isnan(of(found, "sentiment")[-1]).all()
    assert found.unreadable[:-1].tolist() == [""] * len(SHORT)
    assert str(len(tokenizer) - 1) in found.unreadable[-1]
    encoder = sentence_encoder(tmp_path / "e")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.add_tokens(["zarzuela"])
    tokenizer.save_pretrained(encoder)
    topics = {"model": str(encoder), "kind": "embedding", "labels": ["curso", "zarzuela"]}
    refusal("'Trata de zarzuela.'", **topics)


def expected_in_order(folder: Path, texts: list[str]) -> np.ndarray:
    return expected(folder, texts)[:, [sorted(SENTIMENT).index(label) for label in SENTIMENT]]


def test_special_tokens_that_the_vocabulary_lacks_are_refused(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    (folder / "vocab.txt").write_text("\n".join(w for w in words if w != "[CLS]"))
    edit_json(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    refusal(str(folder), "special tokens are missing", ": [CLS];", sentiment=folder)


def test_special_tokens_beyond_the_embeddings_are_refused(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    made = json.loads((folder / "tokenizer.json").read_text())
    moved = next(token for token in made["added_tokens"] if token["content"] == "[CLS]")
    moved["id"] = len(made["model"]["vocab"])
    made["model"]["vocab"]["[CLS]"] = moved["id"]
    made["post_processor"]["cls"] = ["[CLS]", moved["id"]]
    (folder / "tokenizer.json").write_text(json.dumps(made))
    refusal(str(folder), str(moved["id"]), "embeddings for", sentiment=folder)


def test_text_that_the_tokenizer_does_not_know_is_counted(tmp_path):
    found = score_texts(planned(bert_classifier(tmp_path / "m")), ["Ni fu", "漢字 假名 混"], TORCH)
    assert found.mostly_unknown.tolist() == [False, True]


@pytest.mark.parametrize("run", [TORCH, OPENVINO], ids=["torch", "openvino"])
def test_xlnet_segments(tmp_path, run):
    assert_equal(tiny_classifier(tmp_path / "m", "xlnet"), SHORT, run)


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
def test_no_pad_token(tmp_path, name):
    folder = tiny_classifier(tmp_path / "m", name)
    assert json.loads((folder / "config.json").read_text())["pad_token_id"] is None
    assert_equal(folder, SHORT)
    found = score_texts(planned(folder), [*SHORT, ""], TORCH)
    assert found.unreadable[-1] and np.isnan(of(found, "sentiment")[-1]).all()


LITERAL = [
    "La etiqueta <s>así</s> cierra.",
    "Otra que </s> dice eso.",
    "y </s> </s> dos",
    "fin <pad> <|endoftext|>",
]


@pytest.mark.parametrize("run", [TORCH, OPENVINO], ids=["torch", "openvino"])
@pytest.mark.parametrize("name", ["bart", "roberta"])
def test_literal_eos(tmp_path, name, run):
    assert_equal(tiny_classifier(tmp_path / "m", name), [*SHORT, *LITERAL, *LITERAL[::-1]], run)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["negative", "positive", "positive"], "'positive' twice"),
        (["NEG", "", "POS"], "''"),
        (["NEG", None, "POS"], "None"),
        ([-1, 0, 1], "-1"),
    ],
)
def test_repeated_id2label(tmp_path, names, part):
    folder = bert_classifier(tmp_path / "m")
    edit_json(folder / "config.json", id2label={str(i): name for i, name in enumerate(names)})
    refusal(str(folder), part, sentiment=folder)


def test_labels_without_names_are_said_in_one_line(tmp_path, caplog):
    folder = bert_classifier(tmp_path / "m", labels=("LABEL_0", "LABEL_1"))
    with caplog.at_level(logging.WARNING, "nocturna.tasks"):
        planned(folder)
    (said,) = caplog.records
    assert "does not name its labels" in said.getMessage()


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize(
    "labels",
    [
        ("entailment", "not_entailment"),
        ("not_entailment", "entailment"),
        ("NOT ENTAILMENT", "ENTAILMENT"),
        ("entails", "contradiction"),
    ],
    ids=" ".join,
)
def test_two_class_nli(tmp_path, labels, multi):
    folder = bert_classifier(tmp_path / "m", labels=labels)
    plan = planned(model=str(folder), multi_label=multi)
    found = of(score_texts(plan, SHORT, TORCH), "topic")
    run = pipeline("zero-shot-classification", model=str(folder), device=-1)
    for text, row in zip(SHORT, found, strict=True):
        said = run(text, list(LABELS), hypothesis_template=TEMPLATE, multi_label=multi)
        scores = dict(zip(said["labels"], said["scores"], strict=True))
        assert row == pytest.approx([scores[label] for label in LABELS], abs=TOLERANCE)


@pytest.mark.parametrize("labels", [("yes", "no"), ("not_entailment", "non-entailment"), SENTIMENT])
def test_a_model_that_names_no_entailment_is_refused(tmp_path, labels):
    folder = bert_classifier(tmp_path / "m", labels=labels)
    refusal(str(folder), "entailment", model=str(folder))


@pytest.mark.parametrize("template", ["{{}}", "{0}", "Trata de {}. {x}", "{} {}", "Trata de }{}"])
def test_braces_in_a_template_are_refused(template):
    with pytest.raises(UsageError, match=r"scores\.topic\.template"):
        planned(template=template)


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_a_precision_that_a_model_does_not_run_in_is_no_reason_to_refuse(tmp_path, precision):
    folder = tiny_classifier(tmp_path / "m", "longformer")
    plan, run = planned(folder), replace(OPENVINO, precision=precision)
    found = of(score_texts(plan, SHORT, run), "sentiment")
    exact = of(score_texts(plan, SHORT, TORCH), "sentiment")
    assert np.abs(found - exact).max() < (TOLERANCE if precision == "int8" else 0.1)


def test_deberta_runs_in_int8(tmp_path):
    folder = tiny_classifier(tmp_path / "m", "deberta-v2")
    plan, run = planned(folder), replace(OPENVINO, precision="int8")
    found = of(score_texts(plan, SHORT, run), "sentiment")
    assert np.abs(found - of(score_texts(plan, SHORT, TORCH), "sentiment")).max() < 0.2


def test_xlnet_in_bf16_runs_in_fp32_where_torch_cannot(tmp_path, caplog):
    folder = tiny_classifier(tmp_path / "m", "xlnet")
    plan = planned(folder)
    found = of(score_texts(plan, SHORT, replace(TORCH, precision="bf16")), "sentiment")
    assert np.array_equal(found, of(score_texts(plan, SHORT, TORCH), "sentiment"))
    (line,) = [line for line in caplog.messages if "bf16" in line]
    assert "it runs in fp32" in line


def test_big_bird_scores_a_text_alike_after_any_other(tmp_path):
    folder = tiny_classifier(tmp_path / "m", "big_bird")
    plan, long = planned(folder), TEXTS[7]
    first = of(score_texts(plan, [long], TORCH), "sentiment")
    score_texts(plan, ["a"], TORCH)
    assert np.array_equal(of(score_texts(plan, [long], TORCH), "sentiment"), first)


def test_the_window_leaves_out_the_positions_before_the_first(tmp_path):
    folder = tiny_classifier(tmp_path / "m", "longformer")
    edit_json(folder / "tokenizer_config.json", model_max_length=10**30)
    rows = json.loads((folder / "config.json").read_text())["max_position_embeddings"]
    model = load_classifier(resolve_model(str(folder), None, "sentiment"), TORCH)
    assert model.tokenizer.window == rows - 2
    found = score_texts(planned(folder), [" ".join(TEXTS * 3)], TORCH)
    assert found.n_windows[0] > 1 and np.isfinite(of(found, "sentiment")).all()


def test_a_sentencepiece_model_alone_is_a_tokenizer(tmp_path):
    """As many older models of the Hub are saved: no tokenizer.json at all."""
    import sentencepiece

    folder = tiny_classifier(tmp_path / "m", "xlm-roberta")
    corpus = tmp_path / "texts.txt"
    corpus.write_text("\n".join(TEXTS * 5), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "spm"), vocab_size=120, minloglevel=2
    )
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 100})
    )
    shutil.move(tmp_path / "spm.model", folder / "sentencepiece.bpe.model")
    assert_equal(folder, SHORT)
