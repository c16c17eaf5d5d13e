import json
from dataclasses import replace

import pyarrow as pa
import pytest

from nocturna.tasks.enrichment.summary_records import SUMMARY_SCHEMA
from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.schema import (
    OUR_NAMES,
    Columns,
    further_columns,
    kept_columns,
    results_schema,
    same_columns,
    score_columns,
    score_names,
)
from nocturna.tasks.results.score_fields import label_columns
from tests.results.examples import COLUMNS, JOB, SCHEMA, SENTIMENT, TOPIC, with_topic


def test_the_columns_are_those_of_the_design_in_its_order():
    columns = replace(
        COLUMNS, keep_text=True, summaries=True, keep=pa.schema([("autor", "string")])
    )
    assert results_schema(columns, JOB).names == [
        *("doc_id", "content_hash", "source_uri", "source_row"),
        *("status", "error_code", "error_message", "n_tokens", "n_windows", "truncated"),
        "language",
        *("sentiment", "sentiment_score", "sentiment_pos", "sentiment_neg", "sentiment_neu"),
        "sentiment_config",
        *("topic", "topic_score", "topic_politica", "topic_computacion_e_ia", "topic_config"),
        *("text", "autor"),
        *(name for name in SUMMARY_SCHEMA.names if name != "doc_id"),
        "summary_config",
        *("run_id", "code_version", "scored_at"),
    ]


def test_what_did_not_run_has_no_columns():
    sentiment = results_schema(Columns((SENTIMENT,)), JOB).names
    topics = results_schema(Columns((TOPIC,)), JOB).names
    assert not [n for n in sentiment if n.startswith("topic")]
    assert not [n for n in topics if n.startswith("sentiment")]


def test_scores_are_float32_and_times_are_naive_microseconds():
    scores = ["sentiment_score", "sentiment_pos", "topic_score", "topic_politica"]
    assert {SCHEMA.field(n).type for n in scores} == {pa.float32()}
    assert SCHEMA.field("scored_at").type == pa.timestamp("us")


def test_every_column_says_what_it_means_and_label_columns_their_label():
    columns = replace(
        COLUMNS, keep_text=True, summaries=True, keep=pa.schema([("autor", "string")])
    )
    schema = results_schema(columns, JOB)
    assert [f.name for f in schema if not f.metadata.get(b"description", b"").endswith(b".")] == []
    assert schema.field("topic_politica").metadata[b"label"].decode() == "política"
    assert schema.field("topic_politica").metadata[b"unit"] == b"0 to 1"
    assert json.loads(schema.metadata[b"nocturna"]) == {"format": 2, "job": JOB}
    assert score_columns(schema, "topic") == {
        "política": "topic_politica",
        "computación e IA": "topic_computacion_e_ia",
    }
    assert list(score_columns(schema, "sentiment")) == ["POS", "NEG", "NEU"]


LABELS = {
    ("-1", "0", "1"): ("minus_1", "0", "1"),
    ("+", "-"): ("plus", "minus"),
    ("1 star", "1 stars", "★", "★★"): ("1_star", "1_stars", "black_star", "black_star_black_star"),
    ("C", "C++", "C#"): ("c", "c_plus_plus", "c_sharp"),
    ("50", "50 %", "A", "A-", "A+"): ("50", "50_percent", "a", "a_minus", "a_plus"),
    ("Score", "pos", "POS"): ("score_38e5a4", "pos_7160f8", "pos_ae98ea"),
    ("政治", "经济"): ("label_50eccb", "label_6ccc7b"),
}


@pytest.mark.parametrize("labels", LABELS, ids=" ".join)
def test_labels_minus_one(labels):
    """Labels that a plain column name would confuse have names of their own, in any order."""
    names = {label: f"sentiment_{name}" for label, name in zip(labels, LABELS[labels], strict=True)}
    assert label_columns("sentiment", labels) == names
    assert label_columns("sentiment", labels[::-1]) == names
    assert len(set(names.values())) == len(labels)


def test_kept_columns_that_clash_with_ours_get_a_prefix():
    keep = pa.schema([("Status", "string"), ("topic_politica", "string"), ("autor", "string")])
    assert kept_columns(replace(COLUMNS, keep=keep)) == {
        "Status": "source_Status",
        "topic_politica": "source_topic_politica",
        "autor": "autor",
    }


def test_the_prefix_does_not_depend_on_what_else_the_job_scores():
    keep = pa.schema([("summary", "string"), ("text", "string")])
    assert kept_columns(Columns(keep=keep)) == {
        "summary": "source_summary",
        "text": "source_text",
    }


def test_a_kept_column_with_the_name_of_a_score_gets_the_prefix_where_the_job_has_that_score():
    keep = pa.schema([("sentiment", "string"), ("topic_config", "string")])
    assert kept_columns(Columns((SENTIMENT,), keep=keep)) == {
        "sentiment": "source_sentiment",
        "topic_config": "topic_config",
    }


@pytest.mark.parametrize("name", ["text", "summary", "language", "n"])
def test_a_score_whose_column_every_job_may_have_is_refused(name):
    score = replace(TOPIC, name=name, labels=("a", "tokens"))
    with pytest.raises(UsageError, match=rf"scores\.{name}: .*another name"):
        results_schema(Columns((score,)), JOB)


def test_two_scores_whose_columns_would_be_the_same_are_refused():
    deep = replace(TOPIC, name="topic_politica")
    with pytest.raises(UsageError, match="two columns would be named 'topic_politica'"):
        results_schema(Columns((TOPIC, deep)), JOB)


def test_results_of_version_0_1_tell_their_scores_by_their_columns():
    about = {"nocturna": json.dumps({"format": 1, "job": JOB})}
    label = {"label": "política"}
    fields = [pa.field(name, pa.string()) for name in ("doc_id", "topic", "config_id", "autor")]
    old = pa.schema(
        [*fields, pa.field("topic_politica", pa.float32(), metadata=label)], metadata=about
    )
    assert score_names(old) == ["topic"]
    assert score_columns(old, "topic") == {"política": "topic_politica"}
    assert further_columns(old) == ("autor",)
    kept = results_schema(Columns((SENTIMENT,), keep=pa.schema([("topic", "string")])), JOB)
    assert score_names(kept) == ["sentiment"] and further_columns(kept) == ("topic",)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("status", "source_status"), ("source_source_status", "source_status")),
        (("source_text", "text"), ("source_text", "source_source_text")),
        (("text", "doc_id", "run_id"), ("source_text", "source_doc_id", "source_run_id")),
        (("filename", "part", "row"), ("source_filename", "part", "row")),
    ],
)
def test_kept_our_names_in_any_combination(names, wanted):
    keep = pa.schema([(name, pa.string()) for name in names])
    assert tuple(kept_columns(Columns(keep=keep)).values()) == wanted


@pytest.mark.parametrize("names", [("Status", "status"), ("Autor", "autor")])
def test_kept_columns_that_would_share_a_name_are_refused(names):
    keep = pa.schema([(name, pa.string()) for name in names])
    with pytest.raises(UsageError, match=r"source\.keep: .*rename one of them"):
        kept_columns(Columns(keep=keep))


def test_kept_types_are_those_that_every_reader_knows():
    keep = pa.schema(
        [
            ("when", pa.timestamp("ns", tz="Europe/Madrid")),
            ("kind", pa.dictionary(pa.int8(), pa.string())),
            ("n", pa.int64()),
        ]
    )
    schema = results_schema(Columns((SENTIMENT,), keep=keep), JOB)
    assert schema.field("when").type == pa.timestamp("us")
    assert schema.field("kind").type == pa.string()
    assert schema.field("n").type == pa.int64()


def test_one_schema_means_names_types_order_and_labels():
    assert same_columns(SCHEMA, results_schema(COLUMNS, JOB))
    assert same_columns(SCHEMA, results_schema(COLUMNS, "another job"))
    swapped = with_topic(labels=tuple(reversed(TOPIC.labels)))
    renamed = with_topic(labels=("Política", "computación e IA"))
    for other in (swapped, renamed, replace(COLUMNS, keep_text=True)):
        assert not same_columns(SCHEMA, results_schema(other, JOB))


def test_reserved_names_cover_every_fixed_column():
    everything = replace(COLUMNS, keep_text=True, summaries=True)
    fixed = [f.name for f in results_schema(everything, JOB) if b"score" not in f.metadata]
    assert set(fixed) == OUR_NAMES
