"""`nocturna check-model`: what a model is, and that its scores are its authors' own."""

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tests.models import NLI, SENTIMENT, bert_classifier, sentence_encoder


@pytest.mark.parametrize(
    ("name", "options", "kind", "compared"),
    [
        ("sentiment", [], "classifier", "transformers.pipeline"),
        pytest.param(
            *("several", [], "classifier", "transformers.pipeline"), marks=pytest.mark.slow
        ),
        pytest.param(
            *("number", [], "classifier", "transformers.pipeline"), marks=pytest.mark.slow
        ),
        ("nli", ["--labels", "política,deporte"], "nli", "transformers.pipeline"),
        ("encoder", [], "embedding", "torch, a text at a time"),
    ],
)
def test_a_sound_model_is_told_and_equal(nocturna, tmp_path, name, options, kind, compared):
    makers = {
        "sentiment": lambda to: bert_classifier(to, labels=SENTIMENT),
        "several": lambda to: bert_classifier(to, problem_type="multi_label_classification"),
        "number": lambda to: bert_classifier(to, labels=["stars"], problem_type="regression"),
        "nli": lambda to: bert_classifier(to, labels=NLI, seed=3),
        "encoder": sentence_encoder,
    }
    folder = makers[name](tmp_path / name)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    done = nocturna("check-model", folder, *options, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert (found["kind"], found["compared"], found["equal"]) == (kind, compared, True)
    assert found["windows"] == [64 if kind == "embedding" else 128] and found["licence"] == "mit"
    stored = load_file(folder / "model.safetensors")
    assert found["parameters"] == sum(weights.numel() for weights in stored.values())
    assert found["documents_per_second"] > 0 and found["precisions"][0] == "fp32"
    if name == "number":
        assert found["labels"] == []


def test_scores_that_are_not_the_pipelines_end_with_1(nocturna, tmp_path, monkeypatch):
    from nocturna.tasks.inference import probabilities

    def wrong(logits):
        return right(logits * 1.01)

    right = probabilities.softmax
    monkeypatch.setattr(probabilities, "softmax", wrong)
    done = nocturna("check-model", bert_classifier(tmp_path / "m"))
    assert done.code == 1 and "NOT equal" in done.out


def test_a_score_that_only_one_side_has_is_a_difference():
    from nocturna.tasks.evaluation.model_check import _largest

    both = np.array([[0.25, np.nan]], dtype=np.float32)
    assert _largest(both, both) == 0.0
    assert _largest(both, np.array([[0.25, 0.5]], dtype=np.float32)) == 1.0


def test_a_window_too_small_for_every_sample_text_still_compares(nocturna, tmp_path, monkeypatch):
    from nocturna.tasks.evaluation import model_check

    folder = bert_classifier(tmp_path / "m")
    monkeypatch.setattr(model_check, "sample_texts", lambda: ["uno dos " * 30, "uno dos " * 40])
    done = nocturna("check-model", folder, "--json")
    assert done.code == 0, done.err
    assert 0 < done.json["largest"] < 1e-5, "something was compared"


def test_a_model_that_a_night_would_refuse_ends_with_1_and_the_reason(nocturna, tmp_path):
    folder = bert_classifier(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    done = nocturna("check-model", folder)
    assert done.code == 1 and "classifier.weight" in done.err
    assert done.err.count("\n") == 1


def test_a_model_that_is_not_there_is_a_usage_error(nocturna):
    done = nocturna("check-model", "./nada")
    assert done.code == 2 and "no such folder" in done.err


def test_a_person_reads_a_line_a_fact(nocturna, tmp_path):
    done = nocturna("check-model", bert_classifier(tmp_path / "m"))
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert lines["kind"] == "classifier" and lines["labels"] == ", ".join(SENTIMENT)
    assert lines["compared"].endswith("equal") and "no card" in lines["licence"]


def test_a_dry_run_refuses_what_a_night_would(nocturna, tmp_path):
    folder = bert_classifier(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    save_file({f"module.{k}": v for k, v in weights.items()}, folder / "model.safetensors")
    (tmp_path / "c.jsonl").write_text('{"text": "hola"}\n')
    command = ["score", tmp_path / "c.jsonl", "--sentiment-model", folder]
    said = [nocturna(*command, *more) for more in ([], ["--dry-run"])]
    assert [done.code for done in said] == [2, 2] and "its weights lack" in said[1].err
