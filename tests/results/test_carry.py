from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.results.carry import Sizes, next_parts
from nocturna.tasks.results.difference import find_difference
from nocturna.tasks.results.parts import ROW_GROUP, write_part
from nocturna.tasks.results.result_rows import Trace, result_rows
from nocturna.tasks.results.schema import results_schema, same_columns
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import (
    COLUMNS,
    JOB,
    SCHEMA,
    documents,
    part_of,
    publish_ids,
    scores_of,
    with_topic,
)
from tests.results.readers import READERS, with_pandas
from tests.results.test_difference import CONFIG, index, publish_shards


def night(layout, run_id, corpus, new, config=CONFIG, schema=SCHEMA, drop=False, **options):
    """Publishes a night of which `new` are the documents that are scored."""
    index(layout, run_id, [corpus])
    difference = find_difference(layout, run_id, config, drop_vanished=drop)
    scored = [part_of(layout, run_id, 0, new)] if new.num_rows else []
    parts = next_parts(layout, run_id, difference, scored, schema, 1, **options)
    return publish(layout, run_id, parts, schema)


@pytest.mark.parametrize("read", READERS)
def test_readers_see_carried_rows_beside_new_ones_and_no_superseded_one(layout, read):
    publish_shards(layout, "night-1", [documents("abc"), documents("def")])
    new = pa.concat_tables([documents("b", version=1), documents("x")])
    corpus = pa.concat_tables([documents("acde"), new])
    night(layout, "night-2", corpus, new)
    expected = dict.fromkeys("acdef", "night-1") | dict.fromkeys("bx", "night-2")
    assert read(layout.results) == expected


def test_a_part_of_which_every_row_stays_is_not_written_again(layout):
    first = publish_shards(layout, "night-1", [documents("abc"), documents("def")])
    new = documents("b", version=1)
    second = night(layout, "night-2", pa.concat_tables([documents("acdef"), new]), new)
    assert [p.rows for p in second.parts] == [3, 1, 2]
    assert second.parts[0].path.stat().st_ino == first.parts[1].path.stat().st_ino
    assert first.parts[0].sha256 not in {p.sha256 for p in second.parts}


def test_rows_are_carried_exactly(layout):
    """What was not scored again is the same to the last bit, also where its part was rewritten."""
    publish_shards(layout, "night-1", [documents("abcdef")])
    before = pq.read_table(layout.results).to_pylist()
    new = documents("b", version=1)
    night(layout, "night-2", pa.concat_tables([documents("acdef"), new]), new)
    after = [r for r in pq.read_table(layout.results).to_pylist() if r["run_id"] == "night-1"]
    assert after == [row for row in before if row["doc_id"] != "b"]


def test_vanished_rows_stay_or_go_as_the_job_says(layout):
    publish_shards(layout, "night-1", [documents("abc"), documents("def")])
    night(layout, "night-2", documents("ab"), documents(""))
    assert set(with_pandas(layout.results)) == set("abcdef")
    third = night(layout, "night-3", documents("ab"), documents(""), drop=True)
    assert set(with_pandas(layout.results)) == set("ab")
    assert len(third.parts) == 1


def test_a_corpus_that_vanished_leaves_results_that_can_be_read(layout):
    publish_shards(layout, "night-1", [documents("ab")])
    night(layout, "night-2", documents(""), documents(""), drop=True)
    assert with_pandas(layout.results) == {}


def test_a_night_on_top_of_an_empty_one(layout):
    publish(layout, "night-1", [], SCHEMA)
    snapshot = night(layout, "night-2", documents("a"), documents("a"))
    assert [p.rows for p in snapshot.parts] == [1]
    assert with_pandas(layout.results) == {"a": "night-2"}


def test_new_columns_are_null_in_carried_rows_and_old_ones_are_gone(layout):
    publish_shards(layout, "night-1", [documents("abc")])
    columns = replace(with_topic(labels=("deporte", "política")), keep_text=True)
    schema = results_schema(columns, JOB)
    docs = documents("x")
    rows = result_rows(docs, scores_of(docs), columns, JOB, Trace("night-2", "1"))
    index(layout, "night-2", [docs])
    difference = find_difference(layout, "night-2", CONFIG)
    part = write_part(rows, layout.work("night-2"), "night-2", 0)
    snapshot = publish(
        layout, "night-2", next_parts(layout, "night-2", difference, [part], schema, 1), schema
    )
    assert all(same_columns(pq.read_schema(p.path), schema) for p in snapshot.parts)
    table = pq.read_table(layout.results).sort_by("doc_id").to_pylist()
    assert [row["doc_id"] for row in table] == ["a", "b", "c", "x"]
    assert [row["topic_deporte"] is None for row in table] == [True, True, True, False]
    assert [row["text"] is None for row in table] == [True, True, True, False]
    assert all(row["topic_politica"] is not None for row in table)
    assert "topic_computacion_e_ia" not in table[0]


def test_a_label_of_another_meaning_is_not_carried_under_the_same_column(layout):
    publish_shards(layout, "night-1", [documents("a")])
    schema = results_schema(with_topic(labels=("Política", "computación e IA")), JOB)
    index(layout, "night-2", [documents("")])
    difference = find_difference(layout, "night-2", CONFIG)
    publish(layout, "night-2", next_parts(layout, "night-2", difference, [], schema, 0), schema)
    (row,) = pq.read_table(layout.results).to_pylist()
    assert row["topic_politica"] is None
    assert row["topic_computacion_e_ia"] is not None


def test_other_columns_are_refused_if_the_job_says_so(layout):
    publish_shards(layout, "night-1", [documents("abc")])
    schema = results_schema(with_topic(labels=("deporte", "política")), JOB)
    index(layout, "night-2", [documents("x")])
    difference = find_difference(layout, "night-2", CONFIG)
    with pytest.raises(UsageError) as caught:
        next_parts(layout, "night-2", difference, [], schema, 0, fill=False)
    assert "3 rows of vanished documents have other columns" in str(caught.value)
    assert "topic_computacion_e_ia, topic_deporte" in str(caught.value)


def test_many_small_parts_become_one(layout):
    sizes = Sizes(most_small=4)
    publish_shards(layout, "night-1", [documents(c) for c in "abc"])
    snapshot = night(layout, "night-2", documents("abcd"), documents("d"), sizes=sizes)
    assert [p.rows for p in snapshot.parts] == [4]
    expected = dict.fromkeys("abc", "night-1") | {"d": "night-2"}
    assert with_pandas(layout.results) == expected


def test_a_few_small_parts_are_left_as_they_are(layout):
    publish_shards(layout, "night-1", [documents(c) for c in "abc"])
    sizes = Sizes(most_small=5)
    snapshot = night(layout, "night-2", documents("abcd"), documents("d"), sizes=sizes)
    assert [p.rows for p in snapshot.parts] == [1, 1, 1, 1]


def test_large_parts_are_not_joined(layout):
    sizes = Sizes(small_rows=3, most_small=2)
    first = publish_shards(layout, "night-1", [documents("abc"), documents("d"), documents("e")])
    snapshot = night(layout, "night-2", documents("abcde"), documents(""), sizes=sizes)
    assert sorted(p.rows for p in snapshot.parts) == [2, 3]
    assert first.parts[0].sha256 in {p.sha256 for p in snapshot.parts}


@pytest.mark.parametrize("limit", [{"part_rows": 4}, {"part_bytes": 30_000}])
def test_joined_parts_keep_to_their_size(layout, limit):
    shards = [documents(f"{n}-{i}" for i in range(2)) for n in range(6)]
    publish_shards(layout, "night-1", shards)
    sizes = Sizes(most_small=2, **limit)
    snapshot = night(layout, "night-2", pa.concat_tables(shards), documents(""), sizes=sizes)
    assert 1 < len(snapshot.parts) < 6
    assert sum(p.rows for p in snapshot.parts) == 12
    if "part_rows" in limit:
        assert [p.rows for p in snapshot.parts] == [4, 4, 4]
    else:
        assert all(p.bytes <= 30_000 for p in snapshot.parts)


def test_rows_are_left_out_at_the_right_place_across_batches_and_row_groups(layout):
    n = ROW_GROUP + 70_000
    one = result_rows(
        documents("a"),
        scores_of(documents("a")),
        COLUMNS,
        JOB,
        Trace("night-1", "1"),
    )
    ids = pa.array([f"d{i:06}" for i in range(n)])
    many = one.take(pa.array(np.zeros(n, dtype=np.int64)))
    many = many.set_column(0, one.schema.field("doc_id"), ids)
    part = write_part(many, layout.work("night-1"), "night-1", 0)
    publish(layout, "night-1", [part], SCHEMA)
    gone = {0, 65_535, 65_536, ROW_GROUP - 1, ROW_GROUP, ROW_GROUP + 1, n - 1}
    stays = [i for i in range(n) if i not in gone]
    docs = documents("a").take(pa.array(np.zeros(len(stays), dtype=np.int64)))
    docs = docs.set_column(0, docs.schema.field(0), ids.take(pa.array(stays)))
    snapshot = night(layout, "night-2", docs, documents(""), drop=True)
    assert snapshot.rows == len(stays)
    found = pq.read_table(layout.results, columns=["doc_id"])["doc_id"].to_pylist()
    assert found == ids.take(pa.array(stays)).to_pylist()
    meta = pq.ParquetFile(snapshot.parts[0].path).metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [
        ROW_GROUP,
        len(stays) - ROW_GROUP,
    ]


def test_a_damaged_part_is_not_carried(layout):
    first = publish_shards(layout, "night-1", [documents("abc")])
    path = first.parts[0].path
    content = path.read_bytes()
    new = documents("b", version=1)
    index(layout, "night-2", [pa.concat_tables([documents("ac"), new])])
    difference = find_difference(layout, "night-2", CONFIG)
    part = part_of(layout, "night-2", 0, new)
    path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    with pytest.raises(NocturnaError, match="was damaged since the run was planned"):
        next_parts(layout, "night-2", difference, [part], SCHEMA, 1)


def test_a_comparison_with_an_older_snapshot_is_not_used(layout):
    publish_shards(layout, "night-1", [documents("abc")])
    index(layout, "night-2", [documents("abc")])
    difference = find_difference(layout, "night-2", CONFIG)
    publish_ids(layout, "another", "abc")
    with pytest.raises(NocturnaError, match="another run published since"):
        next_parts(layout, "night-2", difference, [], SCHEMA, 1)
