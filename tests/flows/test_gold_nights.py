"""A job with a gold file: each night is measured on it, and one that is worse is not published."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from nocturna.tasks.job.job_file import make_job, read_job_values
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.run.gold_night import measure_gold
from tests.models import TEXTS, bert_classifier

SPOKEN = {"NEG": "malo", "NEU": "ni fu", "POS": "bueno"}
ROWS = [{"id": f"d{i}", "text": f"{TEXTS[i % 8]} Número {i}."} for i in range(60)]


@pytest.fixture
def job(engine, nocturna, small_models, tmp_path) -> Path:
    """A job after its first night, whose gold labels are what that night said."""
    (tmp_path / "notas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    described = {
        "source": {"path": "notas.jsonl", "id": "id"},
        "scores": {"sentiment": {"model": str(small_models["sentiment"])}},
        "output": {"dir": str(tmp_path / "out")},
    }
    path = tmp_path / "notas.yaml"
    path.write_text(yaml.safe_dump(described), "utf-8")
    done = nocturna("score", "--job", path)
    assert done.code == 0, done.err
    said = published(tmp_path)
    gold = [{"texto": r["text"], "oro": SPOKEN[said[r["id"]]]} for r in ROWS[:50]]
    gold.append({"texto": "No está en el corpus.", "oro": "bueno"})
    pd.DataFrame(gold).to_csv(tmp_path / "oro.csv", index=False)
    file = {"path": "oro.csv", "text": "texto", "label": "oro"}
    write(path, gold={"sentiment": {**file, "map": {v: k for k, v in SPOKEN.items()}}})
    return path


def write(path: Path, **changes) -> None:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **changes}), "utf-8")


def published(folder: Path) -> dict[str, str]:
    return pd.read_parquet(folder / "out/notas/results").set_index("doc_id").sentiment.to_dict()


def test_a_worse_night_is_not_published_and_the_report_says_what_a_score_meant(
    job, nocturna, tmp_path
):
    done = nocturna("score", "--job", job, "--json")
    assert done.code == 0, done.err
    out = tmp_path / "out" / "notas"
    figures = nocturna("report", out, "--json").json
    gold = figures["gold"]["sentiment"]
    assert (gold["rows"], gold["not_published"], gold["accuracy"]) == (50, 1, 1.0)
    assert (gold["before"]["rows"], gold["before"]["difference"], gold["before"]["p"]) == (50, 0, 1)
    assert gold["nights"] == [None, 1.0]
    (sure,) = figures["confidence"]
    assert (sure["gold_column"], sure["gold"], sure["right"]) == (str(tmp_path / "oro.csv"), 50, 50)
    assert sum(b["gold"] for b in sure["bins"]) == 50
    before = published(tmp_path)

    other = bert_classifier(tmp_path / "other", labels=("POS", "NEG", "NEU"))
    write(job, scores={"sentiment": {"model": str(other)}}, quality={"max_shift": None})
    done = nocturna("score", "--job", job)
    assert done.code == 3 and "sentiment is right on" in done.err, done.err
    assert "points fewer of 50 gold rows than the night before" in done.err
    assert published(tmp_path) == before
    (run,) = [r["run_id"] for r in nocturna("runs", "--json").json if r["status"] == "refused"]
    done = nocturna("publish", run, "--accept", "another model is wanted")
    assert done.code == 0, done.err
    gold = nocturna("report", out, "--json").json["gold"]["sentiment"]
    after = published(tmp_path)
    kept = sum(before[r["id"]] == after[r["id"]] for r in ROWS[:50])
    assert gold["accuracy"] == pytest.approx(kept / 50)
    assert gold["before"]["difference"] == pytest.approx(kept / 50 - 1)
    assert gold["nights"] == [None, 1.0, pytest.approx(kept / 50)]
    nocturna("report", out, "--to", tmp_path)
    page = (tmp_path / "notas-3.html").read_text("utf-8")
    assert "Gold labels" in page and "Accuracy over 3 nights" in page


@pytest.mark.slow
def test_another_gold_file_is_no_change_of_the_scores(job, nocturna, tmp_path):
    assert nocturna("score", "--job", job).code == 0
    table = pd.read_csv(tmp_path / "oro.csv")
    turned = {"malo": "bueno", "ni fu": "malo", "bueno": "ni fu"}
    table.assign(oro=table.oro.map(turned)).to_csv(tmp_path / "oro.csv", index=False)
    done = nocturna("score", "--job", job, "--json")
    assert done.code == 0 and done.json["warnings"] == [], done.err
    gold = nocturna("report", tmp_path / "out" / "notas", "--json").json["gold"]["sentiment"]
    assert gold["accuracy"] == 0 and gold["before"]["difference"] == 0


def test_a_gold_file_that_cannot_be_used_is_one_line_at_once(job, nocturna, tmp_path):
    told = yaml.safe_load(job.read_text("utf-8"))["gold"]["sentiment"]
    for gold, words in (
        ({"sentiment": {**told, "path": "none.csv"}}, "gold.sentiment: "),
        ({"sentiment": {**told, "label": "otra"}}, "otra"),
        ({"sentiment": {**told, "map": {}}}, "gold.sentiment: gold label 'bueno' is none of"),
        ({"topic": told}, "gold.topic: the job has no such score; it has sentiment"),
        ({"sentiment": {**told, "column": "x"}}, "gold.sentiment.column: unknown key"),
        ({"sentiment": {**told, "path": "s3://k:s@b/gold.csv"}}, "credentials come from"),
    ):
        write(job, gold=gold)
        done = nocturna("score", "--job", job)
        assert (done.code, done.err.count("\n")) == (2, 1) and words in done.err, done.err


def test_a_gold_file_that_goes_away_meanwhile_is_said_and_stops_nothing(job, nocturna, tmp_path):
    described = make_job(read_job_values(job), str(job))
    layout = layout_of(tmp_path / "out", "notas")
    parts = current_snapshot(layout).parts
    schema = schema_of(parts[0].path)
    (tmp_path / "oro.csv").unlink()
    found = measure_gold(layout, described, parts, schema)
    assert "oro.csv" in found["sentiment"]["problem"]
    (tmp_path / "oro.csv").write_text("texto,oro\nnada de esto,bueno\n", "utf-8")
    found = measure_gold(layout, described, parts, schema)
    assert "no text that has a gold label is published" in found["sentiment"]["problem"]
