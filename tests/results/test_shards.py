from dataclasses import replace
from functools import partial

import pytest

from nocturna.tasks.results import files
from nocturna.tasks.results.done_shards import load_shard, save_shard
from nocturna.tasks.results.parts import is_whole
from nocturna.tasks.results.schema import results_schema
from nocturna.tasks.results.shard_records import (
    Counts,
    ScoredShard,
    total,
    total_timings,
)
from tests.results.examples import JOB, SCHEMA, documents, part_of, with_topic

RUN = "20261123T020000-1a2b3c4d"


@pytest.fixture
def done(layout):
    """A shard of two documents."""
    part = part_of(layout, RUN, 0, documents(["a", "b"]))
    shard = ScoredShard(0, part, 2, 0, 0, tokens=20, seconds=0.5, timings={"score": 0.4})
    save_shard(layout, RUN, shard)
    return shard


def load(layout, rows=2, schema=SCHEMA):
    return load_shard(layout, RUN, 0, rows, schema)


def test_a_shard_that_is_done_is_found_again(layout, done):
    assert load(layout) == done


def test_a_part_without_its_record_is_done_again(layout, done):
    (layout.work(RUN) / "shard-00000.json").unlink()
    assert load(layout) is None


def test_another_shard_or_run_is_not_found(layout, done):
    assert load_shard(layout, RUN, 1, 2, SCHEMA) is None
    assert load_shard(layout, "another-run", 0, 2, SCHEMA) is None


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
    save_shard(layout, RUN, replace(done, scored=3))
    assert load(layout) is None


def test_counts_and_timings_add_up(done):
    other = replace(done, shard=1, scored=3, failed=2, rewritten=1, timings={"write": 1.0})
    counts = total([done, other], read=16, quarantined=1, superseded=2, unchanged=5)
    assert counts == Counts(
        read=16, scored=5, failed=2, quarantined=1, superseded=2, carried=6, rewritten=1, tokens=40
    )
    assert counts.told == 16
    assert total_timings([done, other]) == {"score": 0.4, "write": 1.0}


@pytest.mark.parametrize("when", range(1, 7))
def test_a_shard_that_two_finish_at_once_is_whole_whoever_is_first(layout, monkeypatch, when):
    """As after a node came back that was given up: the second one gets in between, anywhere."""

    def finish(version: int) -> ScoredShard:
        part = part_of(layout, RUN, 0, documents(["a", "b"], version))
        shard = ScoredShard(0, part, 2, 0, 0, tokens=20, seconds=0.5)
        save_shard(layout, RUN, shard)
        return shard

    ours, calls = {name: getattr(files, name) for name in ("fsync", "rename", "new_file")}, []

    def interrupted(name: str, *args: object, **named: object) -> object:
        calls.append(name)
        if len(calls) == when:
            second.append(finish(1))
        return ours[name](*args, **named)

    second: list[ScoredShard] = []
    for name in ours:
        monkeypatch.setattr(files, name, partial(interrupted, name))
    first = finish(0)
    monkeypatch.undo()
    assert second and first.part.sha256 != second[0].part.sha256
    assert load(layout) in (first, second[0])
    assert is_whole(first.part) and is_whole(second[0].part)
    assert not list(layout.work(RUN).glob(".*.tmp"))
