from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.document_tables import REJECT_SCHEMA
from nocturna.tasks.results.done_shards import load_shard, save_shard, write_rejects
from nocturna.tasks.results.schema import results_schema
from nocturna.tasks.results.shard_records import (
    Counts,
    ScoredShard,
    total,
    total_timings,
)
from tests.results.examples import JOB, SCHEMA, documents, part_of, with_topic

RUN = "20261123T020000-1a2b3c4d"


def rejects(n: int) -> pa.Table:
    return pa.table(
        {
            "source_uri": ["corpus.jsonl"] * n,
            "source_row": list(range(n)),
            "byte_offset": list(range(n)),
            "reason": ["not_json"] * n,
            "message": ["not JSON"] * n,
            "raw": [b"\x00\xff{"] * n,
        },
        schema=REJECT_SCHEMA,
    )


@pytest.fixture
def done(layout):
    """A shard of three rows: two documents and one that could not be read."""
    write_rejects(rejects(1), layout, RUN, 0)
    part = part_of(layout, RUN, 0, documents(["a", "b"]))
    shard = ScoredShard(0, part, 3, 2, 0, 1, tokens=20, seconds=0.5, timings={"score": 0.4})
    save_shard(layout, RUN, shard)
    return shard


def load(layout, rows=3, schema=SCHEMA):
    return load_shard(layout, RUN, 0, rows, schema)


def test_a_shard_that_is_done_is_found_again(layout, done):
    assert load(layout) == done


def test_a_part_without_its_record_is_done_again(layout, done):
    (layout.work(RUN) / "shard-00000.json").unlink()
    assert load(layout) is None


def test_another_shard_or_run_is_not_found(layout, done):
    assert load_shard(layout, RUN, 1, 3, SCHEMA) is None
    assert load_shard(layout, "another-run", 0, 3, SCHEMA) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shard": 0, "part": null}', b"null"])
def test_a_broken_record_is_done_again(layout, done, content):
    (layout.work(RUN) / "shard-00000.json").write_bytes(content)
    assert load(layout) is None


def test_other_rows_than_planned_are_done_again(layout, done):
    assert load(layout, rows=4) is None


def test_other_columns_than_planned_are_done_again(layout, done):
    other = results_schema(with_topic(labels=("deporte",)), JOB)
    assert load(layout, schema=other) is None


@pytest.mark.parametrize("damage", ["cut", "emptied", "swapped", "removed"])
def test_a_damaged_part_is_done_again(layout, done, damage):
    other = part_of(layout, RUN, 1, documents(["x", "y"]))
    path = done.part.path
    if damage == "removed":
        path.unlink()
    else:
        content = {
            "cut": path.read_bytes()[:-9],
            "emptied": b"",
            "swapped": other.path.read_bytes(),
        }
        path.write_bytes(content[damage])
    assert load(layout) is None


def test_a_part_of_fewer_rows_than_reported_is_done_again(layout, done):
    save_shard(layout, RUN, replace(done, scored=3, quarantined=0))
    assert load(layout) is None


def test_lost_quarantine_is_done_again(layout, done):
    (layout.quarantine(RUN) / "shard-00000.parquet").unlink()
    assert load(layout) is None


def test_a_shard_where_every_row_was_quarantined_has_no_part(layout):
    write_rejects(rejects(2), layout, RUN, 0)
    shard = ScoredShard(0, None, 2, 0, 0, 2, tokens=0, seconds=0.1)
    save_shard(layout, RUN, shard)
    assert load(layout, rows=2) == shard


def test_documents_without_a_part_are_done_again(layout, done):
    save_shard(layout, RUN, replace(done, part=None))
    assert load(layout) is None


def test_quarantined_rows_can_be_read_with_their_reason_and_bytes(layout):
    path = write_rejects(rejects(2), layout, RUN, 3)
    assert path == layout.quarantine(RUN) / "shard-00003.parquet"
    assert pq.read_table(path).to_pylist() == rejects(2).to_pylist()


def test_a_shard_done_again_without_rejects_leaves_none_behind(layout):
    path = write_rejects(rejects(2), layout, RUN, 0)
    assert write_rejects(rejects(0), layout, RUN, 0) is None
    assert not path.exists()


def test_counts_and_timings_add_up(done):
    other = replace(
        done, shard=1, read=5, scored=3, failed=2, quarantined=0, timings={"write": 1.0}
    )
    assert total([done, other]) == Counts(read=8, scored=5, failed=2, quarantined=1, tokens=40)
    assert total([done, other]).accounted
    assert not Counts(read=2, scored=1).accounted
    assert total_timings([done, other]) == {"score": 0.4, "write": 1.0}
