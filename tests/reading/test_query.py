"""`nocturna query`: SQL to what is published, which can read that and nothing else."""

import csv
import io
import os
import shutil

import pyarrow as pa
import pytest

from nocturna.tasks.corpus.document_tables import REJECT_SCHEMA
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.parts import write_tables
from nocturna.tasks.results.snapshots import current_snapshot
from tests.reading.conftest import hashes, night
from tests.results.examples import run_of


@pytest.fixture(scope="module")
def one_night(tmp_path_factory):
    """One night with a rejected row, whose ids are what spreadsheets would compute."""
    layout = layout_of(tmp_path_factory.mktemp("one") / "out", "prensa")
    night(layout, 0, ["=1+1", "-2", "@sum", "limpio"])
    folder = layout.quarantine(run_of(0))
    folder.mkdir(parents=True)
    row = {"source_uri": "c.jsonl", "source_row": 9, "reason": "invalid_json", "raw": b"{\xe9"}
    write_tables(
        [pa.Table.from_pylist([row], REJECT_SCHEMA)], REJECT_SCHEMA, folder / "rows-000000.parquet"
    )
    (folder / "rows-000001.parquet").write_bytes(b"not Parquet")
    for path in (*folder.iterdir(), *current_snapshot(layout).parts[0].path.parent.iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"of a Mac")
        shutil.copy(path, path.with_name(f"{path.stem}.sync-conflict-20261130.parquet"))
    shutil.copytree(folder, f"{folder} (conflicted copy)")
    return layout.root


def test_each_view_answers(job, nocturna):
    asked = "select count(*) as n, sum(topic_score)::decimal(9,3) as s from results"
    (row,) = nocturna("query", job, asked, "--json").json
    assert row["n"] == 5 and 0 < row["s"] < 5
    assert nocturna("query", job, "from results", "--at", "2", "--json").out.count("doc_id") == 6
    (runs,) = nocturna("query", job, "select list(status) s from runs", "--json").json
    assert runs == {"s": ["published"] * 3}
    configs = nocturna("query", job, "select kind from configs order by 1", "--json").json
    assert [row["kind"] for row in configs] == ["classifier", "embedding"]
    asked = "select snapshot, sum(share)::float as whole, sum(documents) as n from history "
    asked += "where score = 'topic' group by 1 order by 1"
    history = nocturna("query", job, asked, "--json").json
    assert history == [{"snapshot": i, "whole": 1.0, "n": n} for i, n in ((1, 4), (2, 6), (3, 5))]
    assert nocturna("query", job, "from quarantine", "--json").json == []


def test_rows_that_could_not_be_read_are_told_with_their_run(one_night, nocturna):
    (row,) = nocturna("query", one_night, "from quarantine", "--json").json
    assert row["run_id"] == run_of(0) and row["raw"] == "{\\xe9" and row["source_row"] == 9


def test_what_other_programs_leave_beside_rows_is_not_read(one_night, nocturna):
    """Nor are copies that a program made which keeps folders alike."""
    assert len(nocturna("query", one_night, "from results", "--json").json) == 4
    assert len(nocturna("columns", one_night, "--json").json) > 4
    story = nocturna("runs", "show", run_of(0), "--out", one_night.parent, "--json").json
    reasons = {"invalid_json": 1, "unreadable file rows-000001.parquet": 1}
    assert story["quarantined"] == reasons


def test_who_may_not_read_is_told_so_and_else_reads(job, nocturna, tmp_path):
    copy = tmp_path / "prensa"
    shutil.copytree(job, copy, symlinks=True)
    (copy / "work").mkdir(exist_ok=True)
    closed = copy / "work", (copy / "results").resolve()
    try:
        closed[0].chmod(0)
        if os.access(closed[0], os.X_OK):
            pytest.skip("this user may read everything")
        assert nocturna("runs", "show", run_of(2), "--out", tmp_path).code == 0
        closed[1].chmod(0)
        for command in ("query", "columns", "report"):
            done = nocturna(command, copy, *(["from results"] if command == "query" else []))
            assert done.code == 2 and "permission denied: change its owner" in done.err
    finally:
        for folder in closed:
            folder.chmod(0o700)


def test_csv_has_every_row_and_no_formula(one_night, nocturna):
    done = nocturna("query", one_night, 'select doc_id, -1.5 as "=x" from results', "--csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    ids = [row[0] for row in rows]
    assert ids == ["doc_id", "'=1+1", "'-2", "'@sum", "limpio"]
    assert [row[1] for row in rows] == ["'=x", *["-1.5"] * 4]


def test_a_table_stops_at_a_thousand_rows_and_says_so(job, nocturna):
    done = nocturna("query", job, "select range as i from range(1001)")
    assert done.out.rstrip().endswith(" 999") and "the first 1,000 rows" in done.err
    assert nocturna("query", job, "select range as i from range(1000)").err == ""


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("select nada from results", 'column "nada" not found'),
        ("selec 1", "syntax error"),
        ("select 1,\n2,\n3 frm results", "the question, line 3: "),
        ("", "give one SELECT"),
        ("select 1 as a, 2 as b, 3 as a", "2 columns are named 'a'; tell them apart by AS"),
        ("select 1; select 2", "give one SELECT"),
        ("select 'a'::int", "Could not convert"),
        ("select * from read_text('{secret}')", "disabled by configuration"),
        ("select * from '{secret}'", "does not exist"),
        ("select * from glob('{home}/*')", "disabled by configuration"),
        ("select * from read_parquet('http://127.0.0.1:9/a')", "disabled by configuration"),
        ("from table_of_ours", "does not exist"),
        ("copy (select 1) to '{home}/x'", "give one SELECT"),
        ("copy (pivot results on topic using count(*)) to '{part}'", "give one SELECT"),
        ("explain analyze copy (select 1) to '{part}'", "give one SELECT"),
        ("attach '{home}/x.db'", "give one SELECT"),
        ("set enable_external_access = true", "give one SELECT"),
        ("delete from runs", "give one SELECT"),
        ("install httpfs", "give one SELECT"),
    ],
)
def test_what_may_not_or_cannot_be_asked_is_one_line(job, tmp_path, nocturna, question, words):
    table_of_ours = pa.table({"a": [1]})  # no name of Python is found
    assert table_of_ours.num_rows
    (tmp_path / "secret").write_text("secret")
    before = hashes(job)
    part = next(job.glob("results/*.parquet"))
    asked = question.format(home=tmp_path, secret=tmp_path / "secret", part=part.resolve())
    done = nocturna("query", job, asked, "--json")
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1, done
    assert hashes(job) == before and sorted(p.name for p in tmp_path.iterdir()) == ["secret"]


def test_a_pivot_is_a_question_too(job, nocturna):
    asked = "pivot (select topic from results) on topic using count(*)"
    (row,) = nocturna("query", job, asked, "--json").json
    assert sum(row.values()) == 5


def test_an_interval_is_written_in_iso_8601(job, nocturna):
    asked = "select to_days(3) + to_minutes(1) as lasted"
    assert nocturna("query", job, asked, "--json").json == [{"lasted": "P0M3DT60S"}]


def test_one_form_at_a_time(job, nocturna):
    done = nocturna("query", job, "select 1", "--json", "--csv")
    assert (done.code, done.err) == (2, "nocturna: --csv and --json: give one of them\n")
