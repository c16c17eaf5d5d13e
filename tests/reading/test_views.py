"""Rows of now and of then, for each library."""

import shutil
from datetime import UTC, date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nocturna
from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.rollback import roll_back
from tests.reading.conftest import NIGHTS
from tests.results.examples import SCHEMA, run_of


def ids(job, **options) -> list[str]:
    return sorted(nocturna.read_results(job, ["doc_id"], **options).doc_id)


@pytest.mark.parametrize(
    ("at", "night"),
    [
        (None, 2),
        (1, 0),
        ("2", 1),
        (run_of(1), 1),
        (run_of(0)[-8:], 0),
        ("2026-11-01", 0),
        (date(2026, 11, 2), 1),
        ("2026-11-03T02:29", 1),
        (datetime(2026, 11, 3, 3, tzinfo=UTC), 2),
        ("2027-01-01", 2),
    ],
)
def test_rows_of_then(job, at, night):
    assert ids(job, at=at) == NIGHTS[night]


@pytest.mark.parametrize("at", [9, "nada", "2026-10-31", "2026-13-41", ""])
def test_what_is_not_kept_is_one_line_that_says_what_is(job, at):
    with pytest.raises(UsageError, match="no snapshot") as raised:
        ids(job, at=at)
    assert "kept are 3 (2026-11-03T02:30), 2 (2026-11-02T02:30)" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_each_library_gets_every_row_and_type(job):
    table = nocturna.read_results(job, as_="arrow")
    assert isinstance(table, pa.Table) and table.schema.equals(SCHEMA)
    frame, other = nocturna.read_results(job), nocturna.read_results(job, as_="polars")
    assert isinstance(frame, pd.DataFrame) and isinstance(other, pl.DataFrame)
    assert list(frame.columns) == other.columns == SCHEMA.names
    assert frame.topic_score.dtype == "float32" and other["topic_score"].dtype == pl.Float32
    assert table["doc_id"].to_pylist() == list(frame.doc_id) == other["doc_id"].to_list()


def test_runs_are_a_row_each_the_newest_first(job):
    runs = nocturna.read_runs(job)
    assert list(runs.run_id) == [run_of(2), run_of(1), run_of(0)]
    assert list(runs.snapshot) == [3, 2, 1] and list(runs.scored) == [5, 6, 4]
    assert set(runs.status) == {"published"} and runs.seconds.tolist() == [2.0] * 3
    assert nocturna.read_runs(job, as_="polars")["started_at"].dtype == pl.Datetime("us")
    assert runs.scores[0].startswith('{"sentiment": {')


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["doc_id", "tema"]}, "no column 'tema'; there are doc_id"),
        ({"as_": "spark"}, "as_='spark': give one of pandas, polars, arrow"),
    ],
)
def test_what_cannot_be_read_is_one_line(job, options, words):
    with pytest.raises(UsageError, match=words):
        nocturna.read_results(job, **options)


def test_a_part_of_several_run_ids_is_asked_back(job):
    with pytest.raises(UsageError, match="part of 3 run ids"):
        ids(job, at="T02000")


def test_rows_that_were_rolled_back_and_pruned(job, tmp_path):
    copy = tmp_path / "prensa"
    shutil.copytree(job, copy, symlinks=True)
    layout = layout_of(tmp_path, "prensa")
    roll_back(layout, 1)
    assert ids(copy) == ids(copy, at=4) == NIGHTS[0]
    assert ids(copy, at="2026-11-20") == NIGHTS[2], "what was shown then"
    shutil.rmtree(layout.snapshot(2))
    with pytest.raises(UsageError, match=r"snapshot 2 of .* is not kept any more; kept are 4"):
        ids(copy, at=2)
    roll_back(layout, 0)
    with pytest.raises(UsageError, match="nothing is published here"):
        ids(copy)
    with pytest.raises(UsageError, match="it was all rolled back"):
        ids(copy, at=5)


def test_a_copy_without_a_log_is_read_too(job, tmp_path):
    shutil.copytree(job / "results", tmp_path / "prensa" / "results")
    assert ids(tmp_path / "prensa") == NIGHTS[2]
