from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from tasks.results.rows import Trace, result_rows
from tests.results.examples import COLUMNS, JOB, SCHEMA, documents, rows_of, scores_of

TRACE = Trace("run-1", "c0ffee", "0.1.0", "sentiment@abc", "topic@def")


def test_every_document_has_a_row_in_order_with_its_scores():
    docs = documents(["a", "b", "c"])
    scores = scores_of(docs)
    table = rows_of(docs, "run-1", scores)
    assert table.schema.equals(SCHEMA, check_metadata=True)
    assert table["doc_id"].to_pylist() == ["a", "b", "c"]
    for position, column in enumerate(["sentiment_pos", "sentiment_neg", "sentiment_neu"]):
        assert table[column].to_pylist() == scores.sentiment[:, position].tolist()
    labels = np.array(["POS", "NEG", "NEU"])
    assert table["sentiment"].to_pylist() == labels[scores.sentiment.argmax(axis=1)].tolist()
    assert table["topic_score"].to_pylist() == scores.topic.max(axis=1).tolist()
    assert table["status"].to_pylist() == ["ok"] * 3
    assert table["config_id"].to_pylist() == ["c0ffee"] * 3
    assert table["sentiment_model"].to_pylist() == ["sentiment@abc"] * 3


def test_a_document_that_fails_keeps_its_row_without_scores():
    docs = documents(["bad source", "fine", "not a number", "out of memory"])
    codes = pa.array(["empty_text", None, None, None])
    docs = docs.set_column(5, docs.schema.field("error_code"), codes)
    docs = docs.set_column(
        6, docs.schema.field("error_message"), pa.array(["no text"] + [None] * 3)
    )
    scores = replace(scores_of(docs), errors={3: ("out_of_memory", "too long for the device")})
    scores.topic[2, 0] = np.nan
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
    scores.sentiment[:] = np.nan
    assert rows_of(docs, "r", scores)["error_code"].to_pylist() == ["empty_text"]


def test_kept_columns_and_text_are_carried():
    zone = timezone(timedelta(hours=2))
    keep = pa.schema([("status", pa.string()), ("when", pa.timestamp("us", tz="+02:00"))])
    columns = replace(COLUMNS, keep=keep, keep_text=True)
    docs = documents(["a"]).append_column("status", pa.array(["draft"]))
    moment = pa.array([datetime(2026, 1, 1, 12, tzinfo=zone)], keep.field("when").type)
    docs = docs.append_column("when", moment)
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
    matrix = getattr(scores, kind)
    for wrong in (matrix[:1], matrix[:, :1], None):
        with pytest.raises(ValueError, match=kind):
            rows_of(docs, "r", replace(scores, **{kind: wrong}))
