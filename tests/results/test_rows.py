from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from nocturna.tasks.results.result_rows import Trace, result_rows
from nocturna.tasks.results.schema import Columns
from nocturna.tasks.results.score_arrays import NewScores
from tests.results.examples import (
    COLUMNS,
    JOB,
    SCHEMA,
    SENTIMENT,
    TOPIC,
    documents,
    new_scores,
    rows_of,
    scores_of,
    with_values,
)

TRACE = Trace("run-1", "0.1.0")


def test_every_document_has_a_row_in_order_with_its_scores():
    docs = documents(["a", "b", "c"])
    scores = scores_of(docs)
    table = rows_of(docs, "run-1", scores)
    assert table.schema.equals(SCHEMA, check_metadata=True)
    assert table["doc_id"].to_pylist() == ["a", "b", "c"]
    for position, column in enumerate(["sentiment_pos", "sentiment_neg", "sentiment_neu"]):
        assert table[column].to_pylist() == scores.scores["sentiment"].values[:, position].tolist()
    labels = np.array(["POS", "NEG", "NEU"])
    assert (
        table["sentiment"].to_pylist()
        == labels[scores.scores["sentiment"].values.argmax(axis=1)].tolist()
    )
    assert table["topic_score"].to_pylist() == scores.scores["topic"].values.max(axis=1).tolist()
    assert table["status"].to_pylist() == ["ok"] * 3
    assert table["sentiment_config"].to_pylist() == [SENTIMENT.config] * 3
    assert table["topic_config"].to_pylist() == [TOPIC.config] * 3


def test_a_document_that_fails_keeps_its_row_without_scores():
    docs = documents(["bad source", "fine", "not a number", "out of memory"])
    codes = pa.array(["empty_text", None, None, None])
    docs = docs.set_column(5, docs.schema.field("error_code"), codes)
    docs = docs.set_column(
        6, docs.schema.field("error_message"), pa.array(["no text"] + [None] * 3)
    )
    scores = replace(scores_of(docs), errors={3: ("out_of_memory", "too long for the device")})
    scores.scores["topic"].values[2, 0] = np.nan
    table = rows_of(docs, "run-1", scores)
    assert table["status"].to_pylist() == ["failed", "ok", "failed", "failed"]
    assert table["error_code"].to_pylist() == ["empty_text", None, "no_score", "out_of_memory"]
    assert table["error_message"][3].as_py() == "too long for the device"
    scored = [
        "sentiment",
        "sentiment_score",
        "sentiment_pos",
        "topic",
        "topic_politica",
        "n_tokens",
    ]
    for column in [*scored, "language"]:
        assert [v is None for v in table[column].to_pylist()] == [True, False, True, True]


def test_an_error_found_by_the_corpus_is_kept_even_where_scores_are_missing_too():
    docs = documents(["a"])
    docs = docs.set_column(5, docs.schema.field("error_code"), pa.array(["empty_text"]))
    scores = scores_of(docs)
    scores.scores["sentiment"].values[:] = np.nan
    assert rows_of(docs, "r", scores)["error_code"].to_pylist() == ["empty_text"]


def test_kept_columns_and_text_are_carried():
    zone = timezone(timedelta(hours=2))
    keep = pa.schema([("status", pa.string()), ("when", pa.timestamp("us", tz="+02:00"))])
    columns = replace(COLUMNS, keep=keep, keep_text=True)
    docs = documents(["a"]).append_column("kept.status", pa.array(["draft"]))
    moment = pa.array([datetime(2026, 1, 1, 12, tzinfo=zone)], keep.field("when").type)
    docs = docs.append_column("kept.when", moment)
    table = result_rows(docs, scores_of(docs), columns, JOB, TRACE)
    assert table["source_status"].to_pylist() == ["draft"]
    assert table["status"].to_pylist() == ["ok"]
    assert table["when"].to_pylist() == [datetime(2026, 1, 1, 10)]
    assert table["text"].to_pylist() == ["Texto a, versión 0."]


def test_text_is_left_out_unless_asked_for():
    assert "text" not in rows_of(documents(["a"]), "r").column_names


def test_scoring_time_is_utc_without_a_zone():
    now = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    docs = documents(["a"])
    table = result_rows(docs, scores_of(docs), COLUMNS, JOB, TRACE, now)
    assert table["scored_at"].to_pylist() == [datetime(2026, 1, 1)]


def test_a_shard_of_no_documents_gives_the_columns_and_no_rows():
    table = rows_of(documents([]), "r")
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA, check_metadata=True)


@pytest.mark.parametrize("kind", ["sentiment", "topic"])
def test_scores_of_other_documents_or_labels_are_refused(kind):
    docs = documents(["a", "b"])
    scores = scores_of(docs)
    matrix = scores.scores[kind].values
    for wrong in (matrix[:1], matrix[:, :1]):
        with pytest.raises(ValueError, match=kind):
            rows_of(docs, "r", with_values(scores, **{kind: wrong}))


def test_a_number_is_its_column_and_a_document_has_its_own_labels():
    docs = documents(["a", "b", "c"])
    stars = replace(SENTIMENT, name="stars", labels=(), gives="number")
    own = replace(TOPIC, name="own", labels=(), gives="choices", choices="candidatos")
    choices = [("x", "y"), (), ("z",)]
    values = np.array([[0.25, 0.75], [np.nan, np.nan], [1, np.nan]], np.float32)
    asked = np.array([True, False, True])
    scores = replace(
        scores_of(docs),
        scores={
            "stars": new_scores(np.array([[4.5], [-1], [0]])),
            "own": NewScores(values, asked, ~asked, choices),
        },
    )
    table = result_rows(docs, scores, Columns((stars, own)), JOB, TRACE)
    assert table["status"].to_pylist() == ["ok"] * 3
    assert table["stars"].to_pylist() == [4.5, -1, 0]
    assert table["own"].to_pylist() == ["y", None, "z"]
    assert table["own_score"].to_pylist() == [0.75, None, 1]
    assert table["own_labels"].to_pylist() == [["x", "y"], None, ["z"]]
    assert table["own_scores"].to_pylist() == [[0.25, 0.75], None, [1]]
    status = table["own_status"].to_pylist()
    assert status[::2] == ["ok", "ok"] and status[1].startswith("not asked")


def test_what_tonight_says_nothing_of_is_carried():
    docs = documents(["a", "b"])
    before = rows_of(docs, "run-0")
    tonight = scores_of(documents(["a", "b"], version=1))
    mine = np.array([False, True])
    new = replace(tonight.scores["topic"], asked=mine)
    old = replace(tonight.scores["sentiment"], asked=~np.ones(2, bool))
    scores = replace(tonight, scores={"sentiment": old, "topic": new}, carried=before)
    table = rows_of(docs, "run-1", scores)
    fresh = rows_of(docs, "run-1", tonight)
    for name in [n for n in table.column_names if n.startswith("sentiment")]:
        assert table[name].to_pylist() == before[name].to_pylist()
    for name in [n for n in table.column_names if n.startswith("topic")]:
        assert table[name].to_pylist() == [before[name][0].as_py(), fresh[name][1].as_py()]
    assert table["run_id"].to_pylist() == ["run-1"] * 2


def test_lengths_of_a_text_that_is_read_anew_are_not_carried():
    docs = documents(["a", "b"])
    before = rows_of(docs, "run-0", replace(scores_of(docs), n_windows=np.array([9, 9])))
    before = before.set_column(9, before.schema.field(9), pa.array([True, True]))
    assert before.column_names[9] == "truncated"
    mine = np.array([True, False])
    tonight = scores_of(docs)
    topic, sentiment = (
        replace(tonight.scores["topic"], asked=np.array([True, True])),
        replace(tonight.scores["sentiment"], asked=mine),
    )
    scores = replace(tonight, scores={"sentiment": sentiment, "topic": topic}, carried=before)
    table = rows_of(docs, "run-1", scores)
    assert table["n_windows"].to_pylist() == [1, 9]
    assert table["truncated"].to_pylist() == [False, True]
