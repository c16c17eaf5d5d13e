"""A text that comes with another one is read together with it, as the pipeline reads pairs."""

import numpy as np
import pytest
from transformers import AutoTokenizer, pipeline

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.planned import reading_source
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.job.job import Compute
from nocturna.tasks.job.job_file import make_job
from tests.inference.plans import plan_scores, values
from tests.inference.sweep import tiny_classifier
from tests.models import TEXTS, bert_classifier, roberta_classifier

BACKENDS = {
    name: running(Compute(device="cpu", backend=name, workers=1), "fp32")
    for name in ("torch", "openvino")
}
READ = [*TEXTS[:5], TEXTS[0], TEXTS[0], TEXTS[2]]
OTHERS = [*TEXTS[5:9], "hola", TEXTS[1], TEXTS[5], None]
KNOWN = Known(pairs={"otra": OTHERS})


def planned(folder, **options):
    score = {"model": folder, "text_pair": "otra", **options}
    return plan_scores({"sentiment": score}, examined=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
def test_pairs_are_scored_as_the_pipeline_scores_them(tmp_path, make, backend):
    folder = make(tmp_path / "m")
    plan = planned(folder)
    scores = score_texts(plan, READ, BACKENDS[backend], known=KNOWN)
    found, labels = values(scores, "sentiment"), plan.scores[0].labels
    run = pipeline("text-classification", model=str(folder), top_k=None, device=-1)
    for row, text, other in zip(found, READ, OTHERS, strict=True):
        if other is None:
            assert np.isnan(row).all()
            continue
        said = {one["label"]: one["score"] for one in run({"text": text, "text_pair": other})}
        assert row == pytest.approx([said[label] for label in labels], abs=1e-5)
    assert scores.by_name["sentiment"].asked.tolist() == [*[True] * 7, False]
    assert scores.by_name["sentiment"].skipped.tolist() == [*[False] * 7, True]
    assert np.abs(found[0] - found[5]).max() > 1e-3, "the other text makes no difference"


def test_a_cross_encoder_gives_a_number_between_0_and_1(tmp_path):
    folder = tiny_classifier(tmp_path / "m", "xlm-roberta", labels=["LABEL_0"])
    found = values(score_texts(planned(folder), READ, BACKENDS["torch"], known=KNOWN), "sentiment")
    run = pipeline("text-classification", model=str(folder), device=-1)
    said = [
        run({"text": text, "text_pair": other})["score"]
        for text, other in zip(READ[:7], OTHERS[:7], strict=True)
    ]
    assert found[:7, 0] == pytest.approx(said, abs=1e-5)


def test_a_long_text_is_read_in_windows_beside_the_other_one(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    plan, long = planned(folder), " ".join(TEXTS)
    known = Known(pairs={"otra": [TEXTS[5], " ".join(TEXTS)]})
    scores = score_texts(plan, [long, "a"], BACKENDS["torch"], known=known)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    counted = len(tokenizer(long, add_special_tokens=False)["input_ids"])
    assert scores.n_windows[0] > counted / (128 - 3) and not scores.truncated[0]
    assert np.isfinite(values(scores, "sentiment")).all()
    assert scores.truncated[1], "the other text has half of the window"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_token_of_the_other_text_that_has_no_embedding_is_no_score(tmp_path, backend):
    folder = bert_classifier(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["zarzuela"])
    tokenizer.save_pretrained(folder)
    known = Known(pairs={"otra": ["hola", "una zarzuela"]})
    scores = score_texts(planned(folder), ["a", "a"], BACKENDS[backend], known=known)
    assert np.isnan(values(scores, "sentiment")).all(axis=1).tolist() == [False, True]


def test_the_column_is_read_and_is_part_of_the_config(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    plan = planned(folder)
    pairs = {"sentiment": {"model": str(folder), "text_pair": "otra"}}
    job = make_job({"name": "j", "source": {"path": "a", "keep": ["x"]}, "scores": pairs}, "t")
    assert reading_source(job, plan.scores).keep == ("x", "otra")
    assert plan.configs != planned(folder, text_pair="esta").configs
    with pytest.raises(UsageError, match="'otra' does not come with the texts"):
        score_texts(plan, ["a"], BACKENDS["torch"])
