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


@pytest.fixture
def sentiment(small_models):
    """Options that evaluate the small sentiment model on the labelled file."""
    options = ["--task", "sentiment", "--text", "texto", "--gold", "oro"]
    return [*options, "--model", small_models["sentiment"]]


def test_errors_are_written_and_no_text_is_a_formula(nocturna, sentiment, predicted, tmp_path):
    wrong = [next(label for label in SENTIMENT if label != p) for p in predicted]
    rows = [{"texto": f"={t}", "oro": g} for t, g in zip(TEXTS, wrong, strict=True)]
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = nocturna("evaluate", path, *sentiment, "--errors", "errors.csv", "--json")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "errors.csv")
    assert len(found) == round((1 - done.json["accuracy"]) * len(TEXTS)) > 0
    assert found.text.str.startswith("'=").all() and found.score.is_monotonic_decreasing
    assert (found.gold != found.predicted).all() and found.doc_id.isna().all()
    assert f"errors.csv: {len(found)} rows are wrong" in done.err


def test_ways_are_compared_on_the_same_rows(nocturna, sentiment, small_models, tmp_path):
    gold = noisy_gold(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(
        "source: {path: x.jsonl}\n"
        f"scores: {{sentiment: {{model: {small_models['sentiment']}, "
        "calibration: {temperature: 1, bias: {POS: 9}}}}\n",
        encoding="utf-8",
    )
    ways = [small_models["sentiment"], "{calibration: {bias: {POS: 9}}}", other]
    against = [part for way in ways for part in ("--against", way)]
    done = nocturna("evaluate", gold, *sentiment, *against, "--json")
    assert done.code == 0, done.err
    same, varied, described = done.json["against"]
    assert (same["difference"], same["p"], same["low"], same["high"]) == (0, 1, 0, 0)
    positive = sum(SENTIMENT[(i * i) % 3] == "POS" for i in range(6 * len(TEXTS)))
    assert varied["accuracy"] == pytest.approx(positive / (6 * len(TEXTS)))
    assert varied["difference"] == pytest.approx(varied["accuracy"] - done.json["accuracy"])
    assert {**described, "name": ""} == {**varied, "name": ""}
    shown = nocturna("evaluate", gold, *sentiment, *against[:2])
    assert "only it right" in shown.out and "language es" in shown.out


def test_published_scores_are_evaluated_without_a_model(nocturna, predicted, tmp_path):
    gold = labelled(tmp_path, predicted)
    with gold.open("a", encoding="utf-8") as file:
        file.write('{"texto": "No está en el corpus.", "oro": "POS"}\n')
    asked = ["--task", "sentiment", "--text", "texto", "--gold", "oro"]
    done = nocturna("evaluate", gold, *asked, "--published", "out/plain", "--json")
    assert done.code == 0, done.err
    assert (done.json["accuracy"], done.json["n"]) == (1.0, len(TEXTS))
    assert done.json["not_published"] == 1
    table = pd.read_parquet(tmp_path / "out/plain/results").set_index("doc_id")
    other = [next(label for label in SENTIMENT if label != p) for p in predicted]
    wrong = labelled(tmp_path, other)
    nocturna("evaluate", wrong, *asked, "--published", "out/plain", "--errors", "e.jsonl")
    errors = pd.read_json(tmp_path / "e.jsonl", lines=True).set_index("doc_id")
    assert set(errors.index) == set(table.index) and len(errors) == len(TEXTS)
    assert (errors.predicted == table.sentiment[errors.index]).all()
    found = done.json["prevalence"]
    counted = {share["label"]: share["counted"] for share in found["shares"]}
    exact = {label: predicted.count(label) / len(TEXTS) for label in SENTIMENT}
    assert counted == pytest.approx(exact) and found["how"] == "adjusted"
    corrected = {share["label"]: share["share"] for share in found["shares"] if share["share"]}
    assert corrected == pytest.approx({k: v for k, v in exact.items() if v})


def test_the_shares_of_a_corpus_are_corrected_by_rows_that_are_not_in_it(
    nocturna, sentiment, predicted, tmp_path
):
    gold = noisy_gold(tmp_path)
    done = nocturna("evaluate", gold, *sentiment, "--published", "out/plain")
    assert done.code == 0, done.err
    assert f"Counted on {len(TEXTS)} documents, corrected" in done.out
    assert "scored by another model" not in done.out
    (tmp_path / "job.yaml").write_text(
        f"source: {{path: x}}\nscores: {{sentiment: {{model: {sentiment[-1]}, "
        "calibration: {temperature: 2}}}\n",
        encoding="utf-8",
    )
    other = [*sentiment[:-2], "--job", tmp_path / "job.yaml", "--published", "out/plain"]
    assert "scored by another model" in nocturna("evaluate", gold, *other).out


def test_what_cannot_be_compared_is_one_line(nocturna, predicted, tmp_path):
    gold = labelled(tmp_path, predicted)
    given = ["--task", "sentiment", "--text", "texto", "--gold", "oro"]
    for options, part in (
        (["--published", "out/none"], "nothing is published here"),
        (["--published", "out/plain", "--calibrate"], "--calibrate: needs the model"),
        (["--published", "out/plain", "--task", "mood"], "mood: no score of that name"),
        (["--errors", "errors.txt"], "errors.txt: its ending is none of .csv, .xlsx, .jsonl"),
        (["--errors", "none/errors.csv"], "its folder is not there"),
        (["--against", "{a: [}"], "--against '{a: [}': expected keys of a score"),
        (["--against", "./nowhere"], "./nowhere"),
        (["--against", "nowhere.yaml"], "nowhere.yaml: cannot read the job file"),
    ):
        done = nocturna("evaluate", gold, *given, *options)
        assert (done.code, len(done.err.strip().splitlines())) == (2, 1), done.err
        assert part in done.err


def test_documents_are_drawn_with_the_texts_of_the_source(nocturna, predicted, tmp_path):
    done = nocturna("gold", "out/plain", "-n", 8, "--to", "gold.csv", "--score", "sentiment")
    assert done.code == 0, done.err
    said = dict(zip(TEXTS, predicted, strict=True))
    table = pd.read_csv(tmp_path / "gold.csv")
    assert set(table.text) <= set(TEXTS) and len(table) == 8
    table.assign(label=[said[text] for text in table.text]).to_csv("gold.csv", index=False)
    done = nocturna("evaluate", "gold.csv", "--task", "sentiment", "--published", "out/plain")
    assert done.code == 0 and "8 rows, accuracy 1.000" in done.out, done.err
    assert "stand for 10 of its 10 documents" in done.out
    (tmp_path / "plain.jsonl").write_text('{"text": "otra cosa"}\n', encoding="utf-8")
    done = nocturna("gold", "out/plain", "-n", 8, "--to", "more.csv", "--score", "sentiment")
    assert done.code == 2 and "8 of 8 documents are not in the source" in done.err
