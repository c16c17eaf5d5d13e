"""`nocturna evaluate`: the figures are those of the labels that the model really gives."""

import json

import pandas as pd
import pytest

from tests.models import SENTIMENT, TEXTS


@pytest.fixture
def predicted(nocturna, engine, small_models, tmp_path) -> list[str]:
    """What the small model says of TEXTS, by the main job."""
    corpus = tmp_path / "plain.jsonl"
    corpus.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS), encoding="utf-8")
    done = nocturna("score", corpus, "--sentiment-model", small_models["sentiment"])
    assert done.code == 0, done.err
    return pd.read_parquet(tmp_path / "out" / "plain" / "results").sentiment.tolist()


def labelled(folder, gold):
    rows = [{"texto": t, "oro": g} for t, g in zip(TEXTS, gold, strict=True)]
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_accuracy_is_the_share_of_labels_that_agree(nocturna, predicted, small_models, tmp_path):
    options = ["--task", "sentiment", "--text", "texto", "--gold", "oro"]
    options += ["--model", small_models["sentiment"], "--json"]
    right = nocturna("evaluate", labelled(tmp_path, predicted), *options)
    assert right.code == 0, right.err
    assert right.json["accuracy"] == 1.0 and right.json["rows"] == len(TEXTS)
    others = [next(label for label in SENTIMENT if label != p) for p in predicted[:3]]
    mixed = nocturna("evaluate", labelled(tmp_path, others + predicted[3:]), *options)
    assert mixed.json["accuracy"] == pytest.approx(1 - 3 / len(TEXTS))
    assert mixed.json["macro_f1"] < 1


def test_gold_labels_are_renamed_and_left_out_by_map(nocturna, predicted, small_models, tmp_path):
    spoken = {"NEG": "malo", "NEU": "ni fu", "POS": "bueno"}
    gold = [spoken[p] for p in predicted[:-2]] + ["?", "?"]
    options = ["--task", "sentiment", "--text", "texto", "--gold", "oro", "--json"]
    options += ["--model", small_models["sentiment"]]
    mapping = "malo=NEG,ni fu=NEU,bueno=POS,?="
    done = nocturna("evaluate", labelled(tmp_path, gold), *options, "--map", mapping)
    assert done.code == 0, done.err
    assert done.json["accuracy"] == 1.0
    assert done.json["unlabelled"] == 2
    unknown = nocturna("evaluate", labelled(tmp_path, gold), *options)
    assert unknown.code == 2 and len(unknown.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--task", "mood"], "--task mood"),
        (["--task", "topic"], "--labels"),
        (["--task", "sentiment", "--labels", "a,b"], "--labels"),
        (["--task", "sentiment", "--gold", "none"], "none"),
    ],
)
def test_wrong_usage_is_one_line(nocturna, tmp_path, small_models, options, part):
    file = labelled(tmp_path, ["NEG"] * len(TEXTS))
    done = nocturna("evaluate", file, "--text", "texto", "--gold", "oro", *options)
    assert done.code == 2
    assert part in done.err and len(done.err.strip().splitlines()) == 1
