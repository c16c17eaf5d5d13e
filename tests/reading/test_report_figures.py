"""The figures of a night's report, each against a count of its own."""

import json
import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest

from nocturna.report_left import with_report
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.reading.report_figures import report_figures
from nocturna.tasks.reading.views import view_of
from nocturna.tasks.results.checks import read_metrics
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.manifest import read_manifest
from nocturna.tasks.results.pruning import clean
from nocturna.tasks.results.report import summarise
from tests.results.examples import run_of


@pytest.fixture(scope="module")
def rows(job) -> list[dict]:
    return pq.read_table(job / "results").to_pylist()


@pytest.fixture(scope="module")
def figures(job) -> dict:
    return json.loads(json.dumps(report_figures(job)))


def score(figures: dict, name: str) -> dict:
    return next(entry for entry in figures["scores"] if entry["name"] == name)


def test_shares_are_those_of_the_rows_and_of_the_night_before(job, rows, figures):
    before = Counter(pq.read_table(list(view_of(job, 2).parts))["topic"].to_pylist())
    counted = Counter(row["topic"] for row in rows)
    topic = score(figures, "topic")
    assert topic["documents"] == len(rows) == 5
    for share in topic["shares"]:
        assert share["documents"] == counted[share["label"]]
        assert share["share"] == counted[share["label"]] / 5
        assert share["before"] == pytest.approx(before[share["label"]] / 6)
        assert share["low"] < share["share"] < share["high"]
        assert share["beyond"] == (not share["low"] <= share["before"] <= share["high"])
        assert figures["history"]["topic"][share["label"]][-1] == share["share"]
    assert topic["mean"] == pytest.approx(sum(row["topic_score"] for row in rows) / 5)


def test_scores_are_crossed(rows, figures):
    (crossed,) = figures["crossed"]
    assert (crossed["rows"], crossed["columns"]) == ("sentiment", "topic")
    counted = Counter((row["sentiment"], row["topic"]) for row in rows)
    for label, counts in zip(crossed["row_values"], crossed["counts"], strict=True):
        assert counts == [counted[label, topic] for topic in crossed["column_values"]]


def test_how_sure_and_which_documents(rows, figures):
    for told in figures["confidence"]:
        counted = Counter(min(int(row[f"{told['score']}_score"] * 10), 9) for row in rows)
        assert [b["documents"] for b in told["bins"]] == [counted[at] for at in range(10)]
        assert told["gold_column"] is None
    for ends in figures["documents"]:
        own = [row for row in rows if row[ends["score"]] == ends["label"]]
        own.sort(key=lambda row: row[f"{ends['score']}_score"])
        assert [d["doc_id"] for d in ends["least_sure"]] == [row["doc_id"] for row in own[:3]]
        assert [d["doc_id"] for d in ends["surest"]] == [row["doc_id"] for row in own[:-4:-1]]
        assert all(d["text"] is None and d["source_row"] for d in ends["surest"])


def test_lengths_rows_and_models(rows, figures):
    lengths = figures["lengths"]
    assert sum(n for _, _, n in lengths["bins"]) == 5
    assert lengths["most"] == max(row["n_tokens"] for row in rows)
    for low, high, n in lengths["bins"]:
        assert n == sum(low <= row["n_tokens"] < high for row in rows)
    assert lengths["languages"] == {"es": 5} and figures["repeats"]["texts"] == 0
    assert figures["published"] == {"rows": 5, "scored": 5, "failed": 0, "errors": {}}
    assert [model["score"] for model in figures["models"]] == ["sentiment", "topic"]
    assert (figures["snapshot"], figures["run_id"]) == (3, run_of(2))


def test_an_earlier_night_is_reported_as_it_was(job):
    found = report_figures(job, run_of(0))
    assert found["snapshot"] == 1 and found["published"]["rows"] == 4
    assert {share["before"] for share in found["scores"][0]["shares"]} == {None}
    assert {len(nights) for nights in found["history"]["topic"].values()} == {1}


def test_the_command_writes_a_page_and_its_figures(job, tmp_path, nocturna):
    done = nocturna("report", job, "--to", tmp_path)
    assert done.out == f"{tmp_path / 'prensa-3.html'}\n"
    assert json.loads((tmp_path / "prensa-3.json").read_text())["snapshot"] == 3
    assert nocturna("report", job, "--run", "2026-11-02", "--json").json["snapshot"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run", "9"], "no snapshot '9'"),
        (["--to", "nada"], "--to nada: no such folder"),
        (["--to", "{job}/runs"], "is the job's own folder; name one of yours"),
    ],
)
def test_what_cannot_be_reported_is_one_line(job, nocturna, arguments, words):
    done = nocturna("report", job, *(word.format(job=job) for word in arguments))
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1


@pytest.fixture
def copied(job, tmp_path):
    shutil.copytree(job, tmp_path / "prensa", symlinks=True)
    return layout_of(tmp_path, "prensa")


def ended(layout):
    run = run_of(2)
    return summarise(layout, read_manifest(layout, run), read_metrics(layout, run))


def test_a_night_leaves_its_report_and_retention_takes_it_with_the_run(copied):
    summary = with_report(copied, ended(copied))
    page = copied.report(run_of(2))
    assert summary.report == str(page) and "prensa" in page.read_text("utf-8")
    assert json.loads(copied.figures(run_of(2)).read_text("utf-8"))["run_id"] == run_of(2)
    with_report(copied, summarise(copied, read_manifest(copied, run_of(0)), {}))
    assert copied.report(run_of(0)).exists()
    clean(copied, Retention(snapshots=1, snapshot_hours=0, runs=1))
    assert not copied.run(run_of(0)).exists() and page.exists()


@pytest.mark.parametrize("broken", ["place", "rows"])
def test_a_report_that_fails_costs_one_line_and_no_night(copied, capsys, broken):
    if broken == "place":
        (copied.report(run_of(2)) / "in the way").mkdir(parents=True)
    else:
        next(copied.snapshot(3).glob("*.parquet")).write_bytes(b"cut short")
    summary = ended(copied)
    assert with_report(copied, summary) == summary
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no report of this night, which is published: " in said
    assert not list(copied.run(run_of(2)).glob(".*"))
