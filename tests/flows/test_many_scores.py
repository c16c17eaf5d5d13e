"""As many scores as wanted: a second night reads nothing, a further score is read alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from transformers import Qwen2Config, Qwen2ForSequenceClassification, pipeline

from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.probabilities import sigmoid, softmax
from nocturna.tasks.naming import slug
from tests.inference.test_gliclass import Plain
from tests.models import (
    NLI,
    SENTIMENT,
    TEXTS,
    bert_classifier,
    gliclass_model,
    roberta_classifier,
    wordpiece,
)

SHORT = TEXTS[:7]
"""Those that fit the window of every model."""

MOODS = ("alegría", "enfado", "otra")
TOPICS = ("política", "economía", "educación")
TEMPLATE = "Este mensaje es {}."


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("many")
    made = {
        "sentiment": bert_classifier(folder / "s", SENTIMENT),
        "nli": bert_classifier(folder / "n", NLI, seed=3),
        "emotion": roberta_classifier(folder / "e", MOODS),
        "gliclass": gliclass_model(folder / "g", prompt_first=True),
    }
    return {name: str(path) for name, path in made.items()}


def described(models: dict[str, str]) -> dict[str, dict]:
    return {
        "sentiment": {"model": models["sentiment"]},
        "topic": {"labels": list(TOPICS), "model": models["nli"]},
        "emotion": {"model": models["emotion"]},
        "urgency": {
            "labels": ["urgente", "puede esperar"],
            "model": models["nli"],
            "template": TEMPLATE,
            "multi_label": True,
        },
    }


def write(folder: Path, scores: dict[str, dict]) -> Path:
    lines = [json.dumps({"id": f"d{i}", "cuerpo": text}) for i, text in enumerate(TEXTS)]
    (folder / "prensa.jsonl").write_text("\n".join(lines), encoding="utf-8")
    job = {
        "name": "prensa",
        "source": {"path": "prensa.jsonl", "text": "cuerpo", "id": "id"},
        "scores": scores,
    }
    path = folder / "prensa.yaml"
    path.write_text(yaml.safe_dump(job, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


class Nights:
    """Nights of one job; `read` has the documents that each score read in the last of them."""

    def __init__(self, nocturna, folder: Path, read: dict[str, set[str]]) -> None:
        self.nocturna, self.folder, self.read = nocturna, folder, read

    def run(self, scores: dict[str, dict], *options: str) -> pd.DataFrame:
        """The rows that are published after a night with these scores."""
        self.read.clear()
        done = self.nocturna("score", "--job", write(self.folder, scores), "--json", *options)
        assert done.code == 0, done.err
        rows = pd.read_parquet(self.folder / "out" / "prensa" / "results")
        return rows.set_index("doc_id").sort_index()


@pytest.fixture
def nights(nocturna, tmp_path, monkeypatch) -> Nights:
    """Nights of which the real heads are watched."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    read: dict[str, set[str]] = {}
    for head in heads().values():

        def watched(plan, texts, long, run, compute=head.compute):
            # loading a model ahead reads a word that is no document
            read.setdefault(plan.name, set()).update({*texts.strings} & {*TEXTS})
            return compute(plan, texts, long, run)

        monkeypatch.setattr(head, "compute", watched)
    return Nights(nocturna, tmp_path, read)


def of_pipeline(task: str, model: str, column: str, **asked) -> dict[str, list[float]]:
    """The scores of transformers' own pipeline by the column that they are published in."""
    run, found = pipeline(task, model=model, device=-1), {}
    for text in SHORT:
        said = run(text, **asked) if asked else run(text, top_k=None)
        rows = [(each["label"], each["score"]) for each in said] if not asked else []
        for label, score in rows or zip(said["labels"], said["scores"], strict=True):
            found.setdefault(f"{column}_{slug(label)}", []).append(score)
    return found


def test_a_second_night_reads_no_text_for_any_score(nights, models):
    scores = described(models)
    first = nights.run(scores)
    assert nights.read == {name: set(TEXTS) for name in scores}
    nli = {"candidate_labels": list(TOPICS), "hypothesis_template": "Este ejemplo es {}."}
    alone = {"candidate_labels": scores["urgency"]["labels"], "hypothesis_template": TEMPLATE}
    for expected in (
        of_pipeline("text-classification", models["sentiment"], "sentiment"),
        of_pipeline("zero-shot-classification", models["nli"], "topic", **nli),
        of_pipeline("text-classification", models["emotion"], "emotion"),
        of_pipeline(
            "zero-shot-classification", models["nli"], "urgency", **alone, multi_label=True
        ),
    ):
        assert len(expected) >= 2
        for column, values in expected.items():
            assert first[column].to_numpy()[: len(SHORT)] == pytest.approx(values, abs=1e-5)
    second = nights.run(scores)
    assert not nights.read, "the second night read texts"
    pd.testing.assert_frame_equal(second, first)


def test_a_further_score_is_read_alone_and_one_less_is_allowed_by_name(nights, models):
    every = described(models)
    first = nights.run({name: every[name] for name in ("sentiment", "topic")})
    more = nights.run(every)
    assert nights.read == {name: set(TEXTS) for name in ("emotion", "urgency")}
    same = [name for name in first.columns if name not in ("run_id", "scored_at")]
    pd.testing.assert_frame_equal(more[same], first[same])
    assert more.filter(like="urgency_").notna().all(axis=None)
    less = {name: every[name] for name in ("sentiment", "urgency")}
    refused = nights.nocturna("score", "--job", write(nights.folder, less))
    assert refused.code == 2 and "--replace" in refused.err.splitlines()[-1]
    fewer = nights.run(less, "--replace")
    assert not nights.read
    assert not [name for name in fewer.columns if name.startswith(("topic", "emotion"))]
    same = [name for name in fewer.columns if name not in ("run_id", "scored_at")]
    pd.testing.assert_frame_equal(fewer[same], more[same])


def test_a_night_runs_with_a_gliclass_model(nights, models):
    topic = {"kind": "gliclass", "model": models["gliclass"], "labels": list(TOPICS)}
    scores = {"topic": topic, "flag": {**topic, "multi_label": True}}
    rows = nights.run(scores)
    plain = Plain(Path(models["gliclass"]))
    logits = np.stack([plain.logits(text, TOPICS) for text in SHORT])
    for name, expected in (("topic", softmax(logits)), ("flag", sigmoid(logits))):
        columns = [f"{name}_{slug(label)}" for label in TOPICS]
        assert np.abs(rows[columns].to_numpy()[: len(SHORT)] - expected).max() < 1e-5
    nights.run(scores)
    assert not nights.read


@pytest.mark.slow
def test_a_further_score_where_a_document_failed_before(nocturna, small_models, tmp_path):
    rows = [{"id": str(i), "text": text} for i, text in enumerate([*TEXTS[:4], "  "])]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    first = ("score", path, "--id", "id", "--sentiment-model", small_models["sentiment"])
    assert nocturna(*first, "--max-failed", 0.9).code == 0
    more = ("--topic-model", small_models["encoder"], "--method", "embedding", "--labels", "a,b")
    done = nocturna(*first, *more, "--max-failed", 0.9)
    assert done.code == 0, done.err
    table = pd.read_parquet(tmp_path / "out" / "c" / "results").set_index("doc_id")
    assert table["status"].to_dict() == dict.fromkeys("0123", "ok") | {"4": "failed"}
    assert table["topic_score"].notna().to_dict() == dict.fromkeys("0123", True) | {"4": False}


def test_a_network_that_computes_nothing_is_one_line_that_names_it(nocturna, tmp_path):
    folder = tmp_path / "m"
    vocabulary = wordpiece(folder)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=32,
        intermediate_size=64,
        pad_token_id=1,
        num_labels=3,
    )
    Qwen2ForSequenceClassification(config).save_pretrained(folder)
    (tmp_path / "c.txt").write_text("uno\ndos\n", encoding="utf-8")
    done = nocturna("score", tmp_path / "c.txt", "--sentiment-model", folder)
    (line,) = [line for line in done.err.splitlines() if "computes not one" in line]
    assert done.code == 2 and f"model {folder}: its network" in line
