"""The models of a run are loaded while its engine starts: those that it needs, and once."""

import json

import pytest

from nocturna import read_results
from nocturna.tasks.inference.backends import _openvino_network
from nocturna.tasks.job.job import Job
from nocturna.tasks.plan import plan_corpus
from nocturna.tasks.results.layout import new_run_id
from nocturna.tasks.score import load_models, score_shard
from nocturna.tasks.stage import stage_corpus
from tests.models import TEXTS, bert_classifier


def loaded() -> int:
    return _openvino_network._load.cache_info().misses


@pytest.mark.slow
def test_models_are_loaded_ahead_and_only_those_that_are_needed(nocturna, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    model = bert_classifier(tmp_path / "model", seed=20261126)
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), "utf-8")
    job = Job.model_validate(
        {
            "name": "prensa",
            "source": {"path": str(corpus)},
            "scores": {"sentiment": {"model": str(model)}},
            "compute": {"backend": "openvino", "device": "cpu"},
            "output": {"dir": str(tmp_path / "out")},
        }
    )
    run = new_run_id()
    before = loaded()
    plan = plan_corpus(job, run, stage_corpus(job, run))
    load_models(plan.layout, run)
    assert loaded() == before + 1
    shard = score_shard(plan.layout, run, 0)
    assert loaded() == before + 1, "the shard found it loaded"
    assert shard.scored == shard.rows > 0, "the word that was read is no document"

    arguments = ("score", corpus, "--sentiment-model", model, "--backend", "openvino")
    assert nocturna(*arguments).code == 0
    assert len(read_results(tmp_path / "out" / "prensa")) == len(TEXTS)
    _openvino_network._load.cache_clear()
    again = nocturna(*arguments)
    assert again.code == 0, again.err
    assert loaded() == 0, "a night that scores nothing loads nothing"
