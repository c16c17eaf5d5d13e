"""`nocturna evaluate`: the figures are those of the labels that the model really gives."""

import json

import pandas as pd
import pytest
import yaml

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


@pytest.fixture
def job(tmp_path, small_models):
    path = tmp_path / "prensa.yaml"
    path.write_text(
        "source: {path: corpus.jsonl}   # the corpus\n"
        "scores:\n"
        "  sentiment:\n"
        f"    model: {small_models['sentiment']}   # ours\n"
        "    when: {language: es}\n",
        encoding="utf-8",
    )
    return path


def noisy_gold(folder):
    """Many rows whose gold labels have little to do with what a model could say."""
    gold = [SENTIMENT[(i * i) % 3] for i in range(6 * len(TEXTS))]
    rows = [{"texto": f"{i} {TEXTS[i % len(TEXTS)]}", "oro": g} for i, g in enumerate(gold)]
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_calibration_is_fitted_and_written_into_the_job(nocturna, job, tmp_path):
    gold = noisy_gold(tmp_path)
    options = ["--job", job, "--task", "sentiment", "--text", "texto", "--gold", "oro"]
    done = nocturna("evaluate", gold, *options, "--calibrate", "--json")
    assert done.code == 0, done.err
    assert done.json["after"]["log_loss"] < done.json["before"]["log_loss"]
    assert done.json["before"]["calibration_error"] == done.json["calibration_error"]
    assert "scores.sentiment.calibration was written" in done.err
    lines = job.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "#" in line] == [lines[0], lines[3]]
    written = yaml.safe_load("\n".join(lines))["scores"]["sentiment"]["calibration"]
    assert written == done.json["calibration"]
    after = nocturna("evaluate", gold, *options, "--json")
    assert after.code == 0, after.err
    assert after.json["calibration_error"] < done.json["calibration_error"]
    again = nocturna("evaluate", gold, *options, "--calibrate", "--json")
    assert again.json["calibration"] == written, "the fit is of the raw scores, whatever is there"


def test_a_job_says_what_is_evaluated_and_nothing_else_may(nocturna, job, tmp_path):
    gold = noisy_gold(tmp_path)
    given = ["--job", job, "--text", "texto", "--gold", "oro"]
    for options, part in (
        (["--task", "sentiment", "--model", "bundled"], "--model: --job says that"),
        (["--task", "mood"], "--task mood: the job has no such score"),
    ):
        done = nocturna("evaluate", gold, *given, *options)
        assert (done.code, len(done.err.strip().splitlines())) == (2, 1)
        assert part in done.err


def test_a_calibration_without_a_job_is_printed(nocturna, small_models, tmp_path):
    gold = noisy_gold(tmp_path)
    options = ["--task", "sentiment", "--model", small_models["sentiment"], "--calibrate"]
    done = nocturna("evaluate", gold, "--text", "texto", "--gold", "oro", *options)
    assert done.code == 0, done.err
    assert "calibrated, held out" in done.out
    assert 'calibration: {"temperature": ' in done.out.splitlines()[-1]
