import json
from dataclasses import replace

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from nocturna.tasks.results.checks import check_run
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.report import as_dict, reading_lines, summarise, table_rows
from nocturna.tasks.results.shard_records import Counts, to_json
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import COLUMNS, SCHEMA, documents, gates, manifest_of, part_of


def summary_of(layout, **changes):
    counts = Counts(read=12, scored=10, failed=0, quarantined=2, tokens=99)
    part = part_of(layout, "night-1", 0, documents(f"d{i}" for i in range(10)))
    checked = check_run(layout, [part], SCHEMA, counts, gates(), COLUMNS.scores)
    publish(layout, "night-1", [part], SCHEMA)
    manifest = manifest_of("night-1", status="published", snapshot=1, counts=counts, seconds=4.0)
    return summarise(layout, replace(manifest, **changes), checked.metrics)


def test_the_two_lines_read_the_results(tmp_path):
    layout = layout_of(tmp_path / 'it\'s "here"', "prensa")
    summary = summary_of(layout)
    assert len(eval(summary.reading["pandas"], {"pd": pd})) == 10
    assert len(eval(summary.reading["duckdb"], {"duckdb": duckdb}).fetchall()) == 10


def test_the_lines_are_plain_to_read(layout):
    lines = reading_lines(layout)
    assert lines["pandas"] == f"pd.read_parquet('{layout.results}')"
    assert lines["duckdb"] == f"duckdb.sql(\"FROM '{layout.results}/*.parquet'\")"


def test_a_summary_is_one_json_object(layout):
    summary = summary_of(layout)
    values = json.loads(to_json(as_dict(summary)))
    assert values["counts"] == {
        "read": 12,
        "scored": 10,
        "failed": 0,
        "quarantined": 2,
        "superseded": 0,
        "tokens": 99,
        "carried": 0,
        "rewritten": 0,
        "rewritten_failed": 0,
        "computed_tokens": 0,
        "padding_tokens": 0,
        "n_unknown": 0,
    }
    assert list(values["shares"]) == ["sentiment", "topic"]
    assert values["shares"] == summary.shares
    assert values["documents_per_second"] == 2.5
    assert values["quarantine"].endswith("quarantine/night-1")
    assert (values["status"], values["snapshot"]) == ("published", 1)


def test_quarantine_is_named_only_if_there_is_any(layout):
    assert summary_of(layout, counts=Counts(read=10, scored=10)).quarantine is None


def test_warnings_are_part_of_the_summary(layout):
    manifest = manifest_of("night-1", status="published")
    summary = summarise(layout, manifest, {}, ["topic 'a' moved by +4.0 points"])
    assert as_dict(summary)["warnings"] == ("topic 'a' moved by +4.0 points",)
    assert dict(table_rows(summary))["warning"] == "topic 'a' moved by +4.0 points"


def test_a_night_that_scored_nothing_has_no_shares_and_says_what_it_carried(layout):
    counts = Counts(read=10, carried=10)
    checked = check_run(layout, [], SCHEMA, counts, gates(), COLUMNS.scores)
    manifest = manifest_of("night-1", status="published", counts=counts)
    summary = summarise(layout, manifest, checked.metrics)
    assert summary.shares == {}
    assert dict(table_rows(summary))["carried over"] == "10"


def test_a_night_of_few_documents_shows_the_shares_of_all_with_its_own_beside_them(layout):
    old = part_of(layout, "night-0", 0, documents(f"d{i}" for i in range(30)))
    rows = documents(["new-0", "new-1"])
    labels = sorted(set(old_labels := pq.read_table(old.path)["topic"].to_pylist()))
    new = part_of(layout, "night-1", 0, rows)
    counts = Counts(read=32, scored=2, carried=30)
    checked = check_run(
        layout,
        [new],
        SCHEMA,
        counts,
        gates(),
        COLUMNS.scores,
        snapshot=[old, new],
        snapshot_rows=32,
    )
    manifest = manifest_of("night-1", status="published", counts=counts)
    summary = summarise(layout, manifest, checked.metrics)
    assert summary.published == {"rows": 32, "scored": 32, "failed": 0}
    new_labels = pq.read_table(new.path)["topic"].to_pylist()
    for label in labels:
        n, few = (old_labels + new_labels).count(label), new_labels.count(label)
        assert summary.shares["topic"][label] == n / 32
        assert summary.new_shares["topic"][label] == few / 2
        said = dict(table_rows(summary))[f"topic {label}"]
        assert said == f"{n / 32:.1%} ({few / 2:.1%} of the new)"
    assert dict(table_rows(summary))["published"] == "32, 32 scored and 0 failed"


def test_the_table_shows_counts_rate_and_every_share(layout):
    summary = summary_of(layout)
    rows = dict(table_rows(summary))
    assert rows["read"] == "12"
    assert rows["quarantined"] == "2"
    assert rows["time"] == "4.0 s, 2.5 a second"
    for kind, shares in summary.shares.items():
        for label, share in shares.items():
            assert rows[f"{kind} {label}"] == f"{share:.1%}"
