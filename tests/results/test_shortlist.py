"""Rows, gates and descriptions of results in which a document has scores for some labels only."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nocturna.tasks.results.checks import check_run
from nocturna.tasks.results.dictionary import data_dictionary
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import ShardScores, Trace, result_rows
from nocturna.tasks.results.schema import Columns, results_schema, score_columns
from nocturna.tasks.results.shard_records import Counts
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import JOB, documents, gates, scores_of, with_topic, with_values

RUN = "night-1"
SIZE = 3
LABELS = ("política", "salud", "deportes", "cultura", "viajes")
NAMES = ("politica", "salud", "deportes", "cultura", "viajes")
COLUMNS = with_topic(labels=LABELS, asked=SIZE)
TRACE = Trace(RUN, "0.1.0")
IDS = [f"d{i}" for i in range(10)]


def shortlisted(docs: pa.Table) -> ShardScores:
    """Scores that add up to 1 over three labels, others than the next document's."""
    draw = np.random.default_rng(0)
    topic = np.full((docs.num_rows, len(LABELS)), np.nan, dtype=np.float32)
    for row in topic:
        row[draw.choice(len(LABELS), SIZE, replace=False)] = draw.dirichlet([1] * SIZE)
    return with_values(scores_of(docs), topic=topic)


def table_of(columns: Columns = COLUMNS, scores: ShardScores | None = None) -> pa.Table:
    docs = documents(IDS)
    return result_rows(docs, scores or shortlisted(docs), columns, JOB, TRACE)


def change(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))


def topic(scores: ShardScores) -> np.ndarray:
    return scores.scores["topic"].values


def check(layout, table, columns: Columns = COLUMNS, **options):
    part = write_part(table, layout.work(RUN), RUN, 0)
    counts = options.pop("counts", None) or Counts(read=len(IDS), scored=len(IDS))
    return check_run(layout, [part], table.schema, counts, gates(), columns.scores, **options)


def failed_names(checked):
    return [c.name for c in checked.failed]


def topic_of(table: pa.Table, row: int, present: bool) -> str:
    """A topic column that has, or lacks, a score in the row."""
    columns = [f"topic_{name}" for name in NAMES]
    return next(c for c in columns if table[c][row].is_valid == present)


def test_labels_off_the_shortlist_are_null_and_the_best_is_the_best_of_it():
    docs = documents(IDS)
    scores = shortlisted(docs)
    table = table_of(scores=scores)
    assert table["status"].to_pylist() == ["ok"] * len(IDS)
    for position, name in enumerate(NAMES):
        expected = [None if np.isnan(v) else v for v in topic(scores)[:, position].tolist()]
        assert table[f"topic_{name}"].to_pylist() == expected
    best = np.nanargmax(topic(scores), axis=1)
    assert table["topic"].to_pylist() == [LABELS[i] for i in best]
    assert table["topic_score"].to_pylist() == np.nanmax(topic(scores), axis=1).tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_of_the_shortlist_that_is_not_a_number_fails_the_document(value):
    scores = shortlisted(documents(IDS))
    topic(scores)[2, np.isfinite(topic(scores)[2]).argmax()] = value
    table = table_of(scores=scores)
    assert table["status"].to_pylist() == ["ok", "ok", "failed", *["ok"] * 7]
    assert table["error_code"][2].as_py() == "no_score"
    assert all(table[f"topic_{name}"][2].as_py() is None for name in NAMES)


def test_scores_of_more_labels_than_the_shortlist_fail_the_document():
    scores = shortlisted(documents(IDS))
    topic(scores)[0] = 0.2
    assert table_of(scores=scores)["error_code"][0].as_py() == "no_score"


def test_missing_sentiment_still_fails_the_document():
    scores = shortlisted(documents(IDS))
    scores.scores["sentiment"].values[1, 0] = np.nan
    assert table_of(scores=scores)["error_code"].to_pylist()[:2] == [None, "no_score"]


def test_a_sound_run_passes(layout):
    checked = check(layout, table_of())
    assert checked.failed == ()
    assert sum(checked.metrics["scores"]["topic"]["counts"].values()) == len(IDS)


def test_failed_documents_pass(layout):
    scores = replace(shortlisted(documents(IDS)), errors={0: ("too_long", "x")})
    counts = Counts(read=10, scored=9, failed=1)
    assert check(layout, table_of(scores=scores), counts=counts).failed == ()


@pytest.mark.parametrize("shortlist", [None, SIZE - 1, SIZE + 1, len(LABELS)])
def test_any_other_number_of_scores_is_found(layout, shortlist):
    columns = with_topic(labels=LABELS, asked=shortlist)
    assert failed_names(check(layout, table_of(), columns)) == ["no_null_score"]


def test_a_score_too_few_too_many_or_out_of_place_is_found(layout):
    table = table_of()
    there, free = topic_of(table, 0, present=True), topic_of(table, 0, present=False)
    assert "no_null_score" in failed_names(check(layout, change(table, there, 0, None)))
    assert failed_names(check(layout, change(table, free, 0, 0.0))) == ["no_null_score"]
    moved = change(change(table, there, 0, None), free, 0, 1.0)
    assert {"sum", "top_label"} <= set(failed_names(check(layout, moved)))
    nan = change(change(table, there, 0, None), free, 0, float("nan"))
    assert "range" in failed_names(check(layout, nan))
    assert "no_null_score" in failed_names(check(layout, change(table, "topic_score", 0, None)))
    assert "no_null_score" in failed_names(check(layout, change(table, "sentiment_pos", 0, None)))


def test_scores_add_up_over_the_shortlist_unless_each_is_scored_by_itself(layout):
    scores = shortlisted(documents(IDS))
    topic(scores)[np.isfinite(topic(scores))] = 0.9
    table = table_of(scores=scores)
    assert failed_names(check(layout, table)) == ["sum"]
    assert (
        check(layout, table, with_topic(labels=LABELS, asked=SIZE, sums_to_one=False)).failed == ()
    )


def test_a_top_label_off_the_shortlist_is_found(layout):
    table = table_of()
    free = LABELS[NAMES.index(topic_of(table, 0, present=False).removeprefix("topic_"))]
    assert failed_names(check(layout, change(table, "topic", 0, free))) == ["top_label"]


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.slow)])
def test_thousands_of_labels_can_be_checked(layout, count):
    labels = tuple(f"tema {i}" for i in range(count))
    columns = with_topic(labels=labels, asked=SIZE)
    docs = documents(IDS)
    topic = np.full((len(IDS), len(labels)), np.nan, dtype=np.float32)
    topic[:, 7:10] = [0.5, 0.3, 0.2]
    table = result_rows(docs, with_values(scores_of(docs), topic=topic), columns, JOB, TRACE)
    assert check(layout, table, columns).failed == ()


def test_pandas_and_duckdb_read_nulls_not_nans(layout):
    table = table_of()
    part = write_part(table, layout.work(RUN), RUN, 0)
    publish(layout, RUN, [part], table.schema)
    columns = [f"topic_{name}" for name in NAMES]
    frame = pd.read_parquet(layout.results, dtype_backend="pyarrow")
    assert (frame[columns].notna().sum(axis=1) == SIZE).all()
    assert pd.read_parquet(layout.results)[columns].sum(axis=1).between(0.999, 1.001).all()
    sums = " + ".join(f"count({c})" for c in columns)
    nans = " + ".join(f"count(*) FILTER (WHERE isnan({c}))" for c in columns)
    (found,) = duckdb.sql(f"SELECT {sums}, {nans} FROM '{layout.results}/*.parquet'").fetchall()
    assert found == (SIZE * len(IDS), 0)


@pytest.mark.parametrize("multi", [False, True])
def test_the_columns_say_what_null_means(layout, multi):
    columns = with_topic(labels=LABELS, asked=SIZE, sums_to_one=not multi)
    table = table_of(columns)
    publish(layout, RUN, [write_part(table, layout.work(RUN), RUN, 0)], table.schema)
    notes = {note.name: note for note in data_dictionary(layout.root)}
    for name in NAMES:
        meaning = notes[f"topic_{name}"].meaning
        assert meaning.endswith("that a document is asked about, else null.")
        assert "3 labels" in meaning
        assert ("scored by itself" in meaning) == multi
    assert "asked" not in notes["sentiment_pos"].meaning
    full = results_schema(with_topic(labels=LABELS), JOB)
    assert b"asked" not in full.field("topic_politica").metadata[b"description"]
    assert score_columns(table.schema, "topic") == score_columns(full, "topic")
