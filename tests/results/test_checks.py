import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from nocturna.tasks.errors import QualityRefused
from nocturna.tasks.results.checks import (
    Checked,
    check_run,
    read_checked,
    read_metrics,
    refuse,
    write_metrics,
)
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import Trace, result_rows
from nocturna.tasks.results.shard_records import Counts
from tests.results.examples import (
    COLUMNS,
    JOB,
    SCHEMA,
    documents,
    gates,
    rows_of,
    scores_of,
    with_topic,
    with_values,
)

RUN = "night-1"
IDS = [f"d{i}" for i in range(10)]
SCORES = {"scores": COLUMNS.scores}
ALONE = {"scores": with_topic(sums_to_one=False).scores}


def change(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))


def check(layout, table, counts=None, limits=None, **options):
    part = write_part(table, layout.work(RUN), RUN, 0)
    counts = counts or Counts(read=table.num_rows, scored=table.num_rows)
    return check_run(layout, [part], SCHEMA, counts, limits or gates(), **{**SCORES, **options})


def failed_names(checked):
    return [c.name for c in checked.failed]


@pytest.fixture
def table():
    return rows_of(documents(IDS), RUN)


def test_a_sound_run_passes(layout, table):
    checked = check(layout, table)
    assert checked.failed == ()
    refuse(layout, RUN, checked)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("unique_doc_id", "doc_id", "d1"),
        ("unique_doc_id", "doc_id", None),
        ("no_null_score", "topic_politica", None),
        ("no_null_score", "sentiment_score", None),
        ("range", "sentiment_pos", 1.5),
        ("range", "sentiment_pos", -0.5),
        ("range", "topic_score", float("nan")),
        ("sum", "sentiment_neg", 0.0),
        ("sum", "topic_politica", 0.0),
        ("top_label", "sentiment", "of no model"),
        ("top_label", "topic", None),
        ("top_label", "sentiment_score", 0.01),
        ("status", "status", "maybe"),
        ("status", "status", None),
    ],
)
def test_each_hard_gate_finds_its_fault(layout, table, name, column, value):
    checked = check(layout, change(table, column, 0, value))
    assert name in failed_names(checked)
    assert all(c.hard for c in checked.failed)
    with pytest.raises(QualityRefused) as caught:
        refuse(layout, RUN, checked)
    assert "--accept" not in str(caught.value)


def test_a_top_label_that_is_not_the_highest_is_found(layout, table):
    lowest = min(["politica", "computacion_e_ia"], key=lambda n: table[f"topic_{n}"][0].as_py())
    label = {"politica": "política", "computacion_e_ia": "computación e IA"}[lowest]
    wrong = change(table, "topic", 0, label)
    wrong = change(wrong, "topic_score", 0, table[f"topic_{lowest}"][0].as_py())
    assert failed_names(check(layout, wrong)) == ["top_label"]


def test_a_failed_row_with_a_score_is_found(layout, table):
    wrong = change(table, "status", 0, "failed")
    checked = check(layout, wrong, Counts(read=10, scored=9, failed=1))
    assert failed_names(checked) == ["no_failed_score"]


@pytest.mark.parametrize(
    "counts",
    [
        Counts(read=11, scored=10),
        Counts(read=9, scored=9),
        Counts(read=10, scored=9, failed=1),
        Counts(read=12, scored=10, failed=1, quarantined=1),
    ],
)
def test_rows_that_are_not_accounted_for_are_found(layout, table, counts):
    assert "accounting" in failed_names(check(layout, table, counts))


def test_a_part_with_other_columns_is_found(layout):
    docs = documents(IDS)
    columns = replace(COLUMNS, keep_text=True)
    table = result_rows(docs, scores_of(docs), columns, JOB, Trace(RUN, "1"))
    assert failed_names(check(layout, table)) == ["one_schema"]


def test_scores_add_up_unless_each_is_scored_by_itself(layout):
    docs = documents(IDS)
    scores = scores_of(docs)
    alone = with_values(scores, topic=np.full((10, 2), 0.9, np.float32))
    table = rows_of(docs, RUN, alone)
    assert failed_names(check(layout, table)) == ["sum"]
    assert failed_names(check(layout, table, **ALONE)) == []
    wrong_sentiment = change(table, "sentiment_neg", 0, 0.0)
    assert "sum" in failed_names(check(layout, wrong_sentiment, **ALONE))


def test_windows_joined_by_max_need_not_add_up(layout):
    docs = documents(IDS)
    scores = scores_of(docs)
    scores.scores["topic"].values[:] = 0.9
    long = replace(scores, n_windows=np.full(10, 3))
    table = rows_of(docs, RUN, long)
    assert failed_names(check(layout, table, aggregate="max")) == []
    assert failed_names(check(layout, table, aggregate="mean")) == ["sum"]
    one_window = rows_of(docs, RUN, scores)
    assert failed_names(check(layout, one_window, aggregate="max")) == ["sum"]


def test_too_many_unreadable_rows_refuse_to_publish(layout, table):
    counts = Counts(read=12, scored=10, quarantined=2)
    assert check(layout, table, counts, gates(max_quarantined=2 / 12)).failed == ()
    checked = check(layout, table, counts, gates(max_quarantined=0.05))
    assert [(c.name, c.hard) for c in checked.failed] == [("max_quarantined", False)]
    with pytest.raises(QualityRefused) as caught:
        refuse(layout, RUN, checked)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert "16.7% (limit 5.0%) of the rows could not be read" in message
    assert f"quarantine/{RUN}" in message
    assert f"`nocturna publish {RUN} --accept REASON`" in message
    assert "\n" not in message


def test_too_many_failed_documents_refuse_to_publish(layout):
    docs = documents(IDS)
    scores = replace(scores_of(docs), errors={0: ("no_score", "x"), 1: ("no_score", "x")})
    table = rows_of(docs, RUN, scores)
    counts = Counts(read=10, scored=8, failed=2)
    assert check(layout, table, counts, gates(max_failed=0.2)).failed == ()
    assert failed_names(check(layout, table, counts, gates(max_failed=0.19))) == ["max_failed"]


def test_few_failures_are_held_against_all_documents_and_many_against_their_own(layout):
    docs = documents(IDS)
    scores = replace(scores_of(docs), errors=dict.fromkeys(range(5), ("no_score", "x")))
    table = rows_of(docs, RUN, scores)
    counts = Counts(read=100, scored=5, failed=5, carried=90)
    few, many = (
        gates(max_failed=0.05, shift_documents=11),
        gates(max_failed=0.05, shift_documents=9),
    )
    assert check(layout, table, counts, few).failed == ()
    assert failed_names(check(layout, table, counts, many)) == ["max_failed"]


def test_metrics_are_the_figures_of_the_rows(layout):
    docs = documents(IDS)
    scores = replace(scores_of(docs), errors={0: ("too_long", "x")})
    scores.truncated[1] = True
    scores.scores["sentiment"].values[2] = [1, 0, 0]
    table = rows_of(docs, RUN, scores)
    checked = check(layout, table, Counts(read=11, scored=9, failed=1, quarantined=1, tokens=5))
    metrics = checked.metrics
    labels = [label for label in table["sentiment"].to_pylist() if label is not None]
    tokens = sorted(n for n in table["n_tokens"].to_pylist() if n is not None)
    assert metrics["scores"]["sentiment"]["counts"] == {
        n: labels.count(n) for n in ("POS", "NEG", "NEU")
    }
    assert metrics["scores"]["sentiment"]["shares"]["POS"] == pytest.approx(
        labels.count("POS") / 9, abs=1e-6
    )
    assert sum(metrics["scores"]["topic"]["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert metrics["scores"]["sentiment"]["saturated_share"] == pytest.approx(1 / 9, abs=1e-6)
    assert metrics["errors"] == {"too_long": 1}
    assert metrics["truncated_share"] == pytest.approx(1 / 9, abs=1e-6)
    assert metrics["n_tokens"] == {
        "median": tokens[4],
        "p90": tokens[8],
        "p99": tokens[8],
        "max": tokens[8],
    }
    assert metrics["quarantined_share"] == pytest.approx(1 / 11, abs=1e-6)
    assert metrics["counts"]["tokens"] == 5

    write_metrics(layout, RUN, checked)
    assert read_checked(layout, RUN) == checked
    assert read_metrics(layout, RUN) == metrics
    assert read_checked(layout, "another") == Checked((), {})
    written = json.loads(layout.metrics(RUN).read_bytes())
    assert written["metrics"] == metrics
    assert {c["name"]: c["passed"] for c in written["checks"]}["accounting"] is True


def test_a_run_of_no_documents_passes(layout):
    checked = check_run(
        layout, [], SCHEMA, Counts(), gates(max_quarantined=0, max_failed=0), **SCORES
    )
    assert checked.failed == ()
    assert checked.metrics["scores"]["sentiment"]["shares"] == {"POS": 0.0, "NEG": 0.0, "NEU": 0.0}


def test_ids_must_be_unique_across_carried_and_new_rows(layout, table):
    new = write_part(table, layout.work(RUN), RUN, 0)
    old = write_part(rows_of(documents(["x", "d3"]), "before"), layout.work(RUN), RUN, 1)
    checked = check_run(
        layout,
        [new],
        SCHEMA,
        Counts(10, 10),
        gates(),
        snapshot=[new, old],
        snapshot_rows=12,
        **SCORES,
    )
    assert failed_names(checked) == ["unique_doc_id"]


def test_a_snapshot_must_have_the_rows_that_it_should(layout, table):
    new = write_part(table, layout.work(RUN), RUN, 0)
    old = write_part(rows_of(documents(["x", "y"]), "before"), layout.work(RUN), RUN, 1)
    counts = Counts(read=12, scored=10, carried=2)
    parts = {"snapshot": [new, old], **SCORES}
    passed = check_run(layout, [new], SCHEMA, counts, gates(), snapshot_rows=12, **parts)
    assert passed.failed == ()
    assert passed.metrics["snapshot"]["rows"] == 12
    short = check_run(layout, [new], SCHEMA, counts, gates(), snapshot_rows=13, **parts)
    assert failed_names(short) == ["accounting"]


def test_labels_with_quotes_do_not_break_the_query(layout):
    columns = with_topic(labels=('l\'altra "cosa"', "b"))
    docs = documents(IDS)
    table = result_rows(docs, scores_of(docs), columns, JOB, Trace(RUN, "1"))
    part = write_part(table, layout.work(RUN), RUN, 0)
    checked = check_run(layout, [part], table.schema, Counts(10, 10), gates(), columns.scores)
    assert checked.failed == ()
    assert sum(checked.metrics["scores"]["topic"]["counts"].values()) == 10


def test_checking_leaves_nothing_behind(layout, table):
    check(layout, table)
    assert [p.name for p in (layout.root / "work").iterdir()] == [RUN]


def test_a_label_below_the_threshold_is_null_and_its_score_is_not(layout):
    columns = with_topic(sums_to_one=False, settings={"threshold": 0.5})
    docs = documents(IDS)
    values = np.linspace(0, 0.9, 20, dtype=np.float32).reshape(10, 2)
    scores = with_values(scores_of(docs), topic=values)
    table = result_rows(docs, scores, columns, JOB, Trace(RUN, "0.1.0"))
    top = values.max(axis=1)
    assert table["topic_score"].to_pylist() == top.tolist()
    assert [label is None for label in table["topic"].to_pylist()] == (top < 0.5).tolist()
    field = table.schema.field("topic")
    assert "below 0.5" in field.metadata[b"description"].decode()
    checked = check(layout, table, scores=columns.scores)
    assert not checked.failed
    assert checked.metrics["scores"]["topic"]["documents"] == 10
    for row, wrong in ((0, "política"), (9, None)):
        broken = check(layout, change(table, "topic", row, wrong), scores=columns.scores)
        assert failed_names(broken) == ["top_label"]
