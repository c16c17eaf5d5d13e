"""Several templates and several wordings a label: what the pipelines give, put together by hand."""

from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.job.compute import Compute
from tests.inference.plans import plan_scores, values
from tests.inference.test_gliclass import Plain
from tests.models import NLI, TEXTS, bert_classifier, gliclass_model, sentence_encoder

RUN = running(Compute(device="cpu", workers=1), "fp32")
TEXTS_READ = TEXTS[:6]
WORDED = {
    "política": ["gobierno", "el ayuntamiento", "los presupuestos"],
    "curso": ["curso"],
    "producto": ["producto", "el precio"],
}
TEMPLATES = ["Este ejemplo es {}.", "El texto habla de {}."]
EVERY = [wording for own in WORDED.values() for wording in own]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "nli": bert_classifier(folder / "nli", labels=NLI, seed=3),
        "embedding": sentence_encoder(folder / "encoder"),
        "gliclass": gliclass_model(folder / "gliclass", window=400, prompt_first=True),
    }


def by_hand(rows: dict[str, float], how: str, shares: bool) -> list[float]:
    """One score a label from a pipeline's scores of every wording."""
    join = max if how == "best" else (lambda scores: sum(scores) / len(scores))
    found = [join([rows[wording] for wording in own]) for own in WORDED.values()]
    return [score / sum(found) for score in found] if shares else found


def scored(folders, kind: str, **options) -> np.ndarray:
    topic = {"kind": kind, "model": folders[kind], "labels": WORDED, **options}
    plan = plan_scores({"topic": {"template": TEMPLATES, **topic}}, examined=True)
    assert plan.scores[0].labels == tuple(WORDED)
    return values(score_texts(plan, TEXTS_READ, RUN), "topic")


@pytest.mark.parametrize("how", ["best", "mean"])
@pytest.mark.parametrize("multi", [False, True])
def test_nli_is_the_pipelines_put_together(folders, how, multi):
    run = pipeline("zero-shot-classification", model=str(folders["nli"]), device=-1)
    found = scored(folders, "nli", wordings=how, multi_label=multi)
    for text, row in zip(TEXTS_READ, found, strict=True):
        by_template = []
        for template in TEMPLATES:
            said = run(text, EVERY, hypothesis_template=template, multi_label=multi)
            each = dict(zip(said["labels"], said["scores"], strict=True))
            by_template.append(by_hand(each, how, not multi))
        assert row == pytest.approx(np.mean(by_template, axis=0), abs=1e-5)


@pytest.mark.parametrize("how", ["best", "mean"])
def test_embedding_is_the_softmax_of_every_template_put_together(folders, how):
    encoder = load_encoder(resolve_model(str(folders["embedding"]), None, "encoder"), RUN)
    vectors = encoder.embed(encoder.tokenizer.encode(TEXTS_READ), RUN)
    found = scored(folders, "embedding", wordings=how, temperature=0.2)
    shares = []
    for template in TEMPLATES:
        asked = [template.replace("{}", wording) for wording in EVERY]
        logits = vectors @ encoder.embed(encoder.tokenizer.encode(asked), RUN).T / 0.2
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        every = raised / raised.sum(axis=1, keepdims=True)
        rows = [dict(zip(EVERY, row.tolist(), strict=True)) for row in every]
        shares.append([by_hand(row, how, shares=True) for row in rows])
    assert np.abs(found - np.mean(shares, axis=0)).max() < 1e-5


@pytest.mark.parametrize("how", ["best", "mean"])
@pytest.mark.parametrize("multi", [False, True])
def test_gliclass_reads_all_wordings_in_one_pass_a_template(folders, how, multi):
    plain = Plain(folders["gliclass"])
    found = scored(folders, "gliclass", wordings=how, multi_label=multi)
    for text, row in zip(TEXTS_READ, found, strict=True):
        by_template = []
        for template in TEMPLATES:
            asked = tuple(template.replace("{}", wording) for wording in EVERY)
            logits = plain.logits(text, asked).astype(np.float64)
            odds = np.exp(logits)
            every = odds / (1 + odds) if multi else odds / odds.sum()
            each = dict(zip(EVERY, every.tolist(), strict=True))
            by_template.append(by_hand(each, how, not multi))
        assert row == pytest.approx(np.mean(by_template, axis=0), abs=1e-5)


def test_a_shortlist_is_drawn_up_by_the_wordings_too(folders):
    told = {"shortlist": 2, "shortlist_model": folders["embedding"], "template": TEMPLATES[0]}
    found = scored(folders, "nli", **told)
    assert (np.isfinite(found).sum(axis=1) == 2).all()
    encoder = load_encoder(resolve_model(str(folders["embedding"]), None, "encoder"), RUN)
    texts, wordings = (
        encoder.embed(encoder.tokenizer.encode(of), RUN) for of in (TEXTS_READ, EVERY)
    )
    for row, near in zip(found, texts @ wordings.T, strict=True):
        each = dict(zip(EVERY, near.tolist(), strict=True))
        likeness = [max(each[w] for w in own) for own in WORDED.values()]
        assert np.flatnonzero(np.isfinite(row)).tolist() == sorted(np.argsort(likeness)[1:])
        assert np.nansum(row) == pytest.approx(1)


def test_templates_are_for_the_labels_that_documents_bring_along_too(folders):
    choices = {"candidatos": [("curso", "producto"), ("gobierno",), ("curso", "media", "precio")]}
    topic = {"kind": "nli", "model": folders["nli"], "labels_column": "candidatos"}

    def found(template) -> np.ndarray:
        plan = plan_scores({"topic": {**topic, "template": template}})
        known = Known(choices=choices)
        return values(score_texts(plan, TEXTS_READ[:3], RUN, known=known), "topic")

    both = found(TEMPLATES)
    assert both == pytest.approx((found(TEMPLATES[0]) + found(TEMPLATES[1])) / 2, nan_ok=True)


def test_what_the_sentences_are_is_part_of_the_config(folders):
    def config(**options) -> str:
        topic = {"kind": "nli", "model": folders["nli"], **options}
        return plan_scores({"topic": topic}).scores[0].config

    plain = config(labels=list(WORDED), template=TEMPLATES[0])
    assert plain == config(labels=list(WORDED), template=[TEMPLATES[0]])
    others = [
        config(labels=list(WORDED), template=TEMPLATES),
        config(labels=WORDED, template=TEMPLATES[0]),
        config(labels=WORDED, template=TEMPLATES[0], wordings="mean"),
        config(labels=WORDED, template=TEMPLATES),
    ]
    assert len({plain, *others}) == 5


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"template": ["Trata de {}.", "Trata de {}."]}, "each once"),
        ({"template": ["Trata de {}.", "Trata de esto."]}, "exactly one {}"),
        ({"template": []}, "at least one template"),
        ({"labels": {"a": ["x", "y"], "b": ["y"]}}, "'y' is given twice"),
        ({"labels": {"a": ["x", "y"], "A": ["z"]}}, "both become the column"),
        ({"labels": {"a": ["x", 3], "b": ["y"]}}, "scores.topic.labels"),
        ({"labels": {"a": ["x", "y"]}}, "understood as one"),
    ],
)
def test_sentences_that_cannot_be_meant_are_one_line(options, part):
    topic = {"kind": "embedding", "labels": ["a", "b"], **options}
    with pytest.raises(UsageError) as caught:
        plan_scores({"topic": topic})
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_labels_with_wordings_need_no_kind():
    plan = plan_scores({"topic": {"labels": {"a": ["x", "y"], "b": "z"}}})
    assert (plan.scores[0].kind, plan.scores[0].labels) == ("embedding", ("a", "b"))
