"""The scores are the pipeline's own, whatever batch or order a document travels in."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute, LongDocuments
from tests.inference.plans import plan_scores, values
from tests.models import NLI, SENTIMENT, TEXTS, bert_classifier, roberta_classifier

TOLERANCE = 1e-5
LABELS = ("política", "computación", "estadística", "deportes")
TEMPLATE = "Este ejemplo es {}."
SAMPLE = [" ".join(random.Random(i).choices(" ".join(TEXTS).split(), k=i)) for i in range(1, 60)]
WEIGHTS = {"bert": bert_classifier, "roberta": roberta_classifier}


def shuffled(seed: int) -> list[str]:
    texts = TEXTS + SAMPLE
    return random.Random(seed).sample(texts, k=len(texts))


@pytest.fixture(scope="module", params=WEIGHTS)
def sentiment_folder(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sentiment") / request.param
    return WEIGHTS[request.param](folder, labels=SENTIMENT)


@pytest.fixture(scope="module", params=[NLI, ("neutral", "entailment", "contradiction")], ids=str)
def nli_folder(request, tmp_path_factory) -> Path:
    return bert_classifier(tmp_path_factory.mktemp("nli"), labels=request.param)


@pytest.fixture(scope="module")
def roberta_nli(tmp_path_factory) -> Path:
    return roberta_classifier(
        tmp_path_factory.mktemp("roberta"), labels=("contradiction", "neutral", "entailment")
    )


def plan_of(sentiment: Path | None = None, nli: Path | None = None, multi: bool = False):
    asked = {"labels": LABELS, "template": TEMPLATE, "multi_label": multi}
    scores = {"sentiment": {"model": sentiment}} if sentiment else {}
    return plan_scores({**scores, **({"topic": {"model": nli, **asked}} if nli else {})})


@pytest.mark.parametrize("batch_tokens", [16, 300, 5000])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_sentiment_equals_pipeline(sentiment_folder, batch_tokens, seed):
    texts = shuffled(seed)
    run = running(Compute(device="cpu", workers=2, batch_tokens=batch_tokens), "fp32")
    ours = values(score_texts(plan_of(sentiment_folder), texts, run), "sentiment")
    reference = pipeline("text-classification", model=str(sentiment_folder), top_k=None)
    for text, row in zip(texts, ours, strict=True):
        expected = {found["label"]: found["score"] for found in reference([text])[0]}
        assert row == pytest.approx([expected[label] for label in SENTIMENT], abs=TOLERANCE)
    assert np.ptp(ours, axis=0).max() > 0.1, "the model gives everything the same score"


def test_independent_labels_get_the_pipelines_sigmoid(tmp_path):
    folder = bert_classifier(tmp_path, problem_type="multi_label_classification")
    run = running(Compute(device="cpu", workers=2), "fp32")
    ours = values(score_texts(plan_of(folder), TEXTS, run), "sentiment")
    reference = pipeline("text-classification", model=str(folder), top_k=None)
    for text, row in zip(TEXTS, ours, strict=True):
        expected = {found["label"]: found["score"] for found in reference([text])[0]}
        assert row == pytest.approx([expected[label] for label in SENTIMENT], abs=TOLERANCE)


def test_what_is_truncated_goes_where_the_tokenizer_says(tmp_path):
    texts = [" ".join(random.Random(i).choices(" ".join(TEXTS).split(), k=200)) for i in range(4)]
    run = running(Compute(device="cpu", workers=2), "fp32")
    cut = LongDocuments(policy="truncate")
    found = {}
    for side in ("right", "left"):
        folder = bert_classifier(tmp_path / side, labels=NLI)
        settings = folder / "tokenizer_config.json"
        told = json.loads(settings.read_text()) | {"truncation_side": side}
        settings.write_text(json.dumps(told))
        asked = {"model": folder, "labels": LABELS[:1], "template": TEMPLATE, "multi_label": True}
        plan = replace(
            plan_scores({"sentiment": {"model": folder}, "topic": asked}), long_documents=cut
        )
        scores = score_texts(plan, texts, run)
        assert scores.truncated.all()
        whole = pipeline("text-classification", model=str(folder), top_k=None)
        about = pipeline("zero-shot-classification", model=str(folder))
        found[side] = values(scores, "sentiment")
        for text, scored, labelled in zip(texts, found[side], values(scores, "topic"), strict=True):
            expected = {one["label"]: one["score"] for one in whole([text], truncation=True)[0]}
            assert scored == pytest.approx([expected[label] for label in NLI], abs=TOLERANCE)
            zero = about(text, LABELS[0], hypothesis_template=TEMPLATE, multi_label=True)["scores"]
            assert labelled == pytest.approx(zero, abs=TOLERANCE)
    assert not np.allclose(found["left"], found["right"], atol=1e-4), "both ends say the same"


def assert_zero_shot_equal(folder: Path, texts: list[str], multi: bool, batch_tokens: int) -> None:
    run = running(Compute(device="cpu", workers=2, batch_tokens=batch_tokens), "fp32")
    ours = values(score_texts(plan_of(nli=folder, multi=multi), texts, run), "topic")
    reference = pipeline("zero-shot-classification", model=str(folder))
    for text, row in zip(texts, ours, strict=True):
        found = reference(text, list(LABELS), hypothesis_template=TEMPLATE, multi_label=multi)
        expected = dict(zip(found["labels"], found["scores"], strict=True))
        assert row == pytest.approx([expected[label] for label in LABELS], abs=TOLERANCE)


@pytest.mark.parametrize("batch_tokens", [pytest.param(16, marks=pytest.mark.slow), 2000])
def test_zero_shot_equals_pipeline(nli_folder, batch_tokens):
    assert_zero_shot_equal(nli_folder, shuffled(2), multi=False, batch_tokens=batch_tokens)


def test_zero_shot_equals_pipeline_for_another_architecture(roberta_nli):
    texts = [text for text in shuffled(3) if len(text) < 90]
    assert len(texts) > 15
    assert_zero_shot_equal(roberta_nli, texts, multi=False, batch_tokens=700)


def test_multi_label_equals_pipeline_where_contradiction_is_output_zero(roberta_nli):
    texts = [text for text in shuffled(4) if len(text) < 90]
    assert_zero_shot_equal(roberta_nli, texts, multi=True, batch_tokens=700)


def test_multi_label_uses_the_true_contradiction_where_the_pipeline_assumes_zero(tmp_path):
    folder = bert_classifier(tmp_path / "a", labels=("neutral", "entailment", "contradiction"))
    run = running(Compute(device="cpu", workers=2), "fp32")
    ours = values(score_texts(plan_of(nli=folder, multi=True), TEXTS, run), "topic")
    for text, row in zip(TEXTS, ours, strict=True):
        for label, score in zip(LABELS, row, strict=True):
            assert score == pytest.approx(entailment_score(folder, text, label), abs=TOLERANCE)


def entailment_score(folder: Path, text: str, label: str) -> float:
    """Softmax of entailment against contradiction, by the model itself."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        inputs = tokenizer(text, TEMPLATE.format(label), return_tensors="pt")
        logits = network(**inputs).logits[0]
    ids = network.config.label2id
    pair = logits[[ids["contradiction"], ids["entailment"]]]
    return float(pair.softmax(0)[1])


def test_a_single_label_is_scored_against_contradiction(tmp_path):
    folder = bert_classifier(tmp_path, labels=("contradiction", "neutral", "entailment"))
    plan = plan_of(nli=folder)
    plan = replace(plan, scores=(replace(plan.scores[0], labels=LABELS[:1]),))
    found = score_texts(plan, TEXTS[:3], running(Compute(device="cpu", workers=2), "fp32"))
    ours = values(found, "topic")
    reference = pipeline("zero-shot-classification", model=str(folder))
    for text, row in zip(TEXTS[:3], ours, strict=True):
        found = reference(text, [LABELS[0]], hypothesis_template=TEMPLATE)
        assert row[0] == pytest.approx(found["scores"][0], abs=TOLERANCE)
