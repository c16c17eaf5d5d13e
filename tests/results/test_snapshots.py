import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import name_in_snapshot
from nocturna.tasks.results.log_entries import logged_numbers
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.pruning import clean
from nocturna.tasks.results.result_rows import Trace, result_rows
from nocturna.tasks.results.snapshots import (
    committed_snapshot,
    current_snapshot,
    publish,
)
from tests.results.examples import COLUMNS, JOB, SCHEMA, documents, part_of, publish_ids, scores_of
from tests.results.readers import READERS, with_pandas

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("read", READERS)
def test_every_reader_sees_one_row_a_document_night_after_night(layout, read):
    first = [
        part_of(layout, "night-1", shard, documents(f"{shard}-{i}" for i in range(5)))
        for shard in (0, 1)
    ]
    publish(layout, "night-1", first, SCHEMA)
    expected = {f"{shard}-{i}": "night-1" for shard in (0, 1) for i in range(5)}
    assert read(layout.results) == expected

    carried = current_snapshot(layout).parts[1:]
    second = part_of(layout, "night-2", 0, documents(f"0-{i}" for i in range(7)))
    publish(layout, "night-2", [second, *carried], SCHEMA)
    expected |= {f"0-{i}": "night-2" for i in range(7)}
    assert read(layout.results) == expected


@pytest.mark.parametrize("read", READERS)
def test_what_is_in_the_making_is_not_seen(layout, read):
    publish_ids(layout, "night-1", ["a"])
    part_of(layout, "night-2", 0, documents(["a", "b"]))
    assert read(layout.results) == {"a": "night-1"}


def test_results_is_a_relative_link_so_that_the_folder_can_be_moved(layout, tmp_path):
    publish_ids(layout, "night-1", ["a"])
    assert layout.results.readlink() == Path("snapshots/00000001")
    layout.root.rename(tmp_path / "elsewhere")
    assert with_pandas(tmp_path / "elsewhere" / "results") == {"a": "night-1"}


def test_a_snapshot_folder_holds_parts_only_and_shares_them_with_the_last_one(layout):
    publish_ids(layout, "night-1", ["a"])
    carried = current_snapshot(layout).parts
    part = part_of(layout, "night-2", 0, documents(["b"]))
    publish(layout, "night-2", [*carried, part], SCHEMA)
    two = current_snapshot(layout)
    assert sorted(layout.snapshot(2).iterdir()) == sorted(p.path for p in two.parts)
    assert two.parts[0].path.stat().st_ino == carried[0].path.stat().st_ino
    assert two.parts[1].path.stat().st_ino == part.path.stat().st_ino


def test_no_two_snapshots_share_a_file_name(layout):
    """A reader lists a folder and then opens its files by name. If the link moves in between, it
    must find none of them: of some it would make a result, and Arrow skips the others in silence.
    """
    names = []
    for night in (1, 2, 3):
        carried = current_snapshot(layout).parts if night > 1 else ()
        part = part_of(layout, f"night-{night}", 0, documents([f"d{night}"]))
        publish(layout, f"night-{night}", [*carried, part], SCHEMA)
        names += [p.name for p in layout.results.iterdir()]
    assert len(names) == len(set(names)) == 1 + 2 + 3
    assert sorted(names)[-1].endswith("-00000003.parquet")


def test_the_log_names_every_part(layout):
    snapshot = publish_ids(layout, "night-1", ["a", "b"], now=NIGHT, note="accepted")
    entry = json.loads(layout.entry(1).read_bytes())
    part = snapshot.parts[0]
    assert entry == {
        "format": 2,
        "snapshot": 1,
        "run_id": "night-1",
        "published_at": "2026-11-01T02:00:00.000000+00:00",
        "rows": 2,
        "note": "accepted",
        "back_to": None,
        "identity": None,
        "parts": [{"name": part.name, "rows": 2, "bytes": part.bytes, "sha256": part.sha256}],
    }
    assert sorted(p.name for p in layout.log.iterdir()) == ["00000001.json"]
    assert current_snapshot(layout) == snapshot


def test_a_run_is_published_once(layout):
    part = part_of(layout, "night-1", 0, documents(["a"]))
    first = publish(layout, "night-1", [part], SCHEMA)
    assert publish(layout, "night-1", [part], SCHEMA) == first
    assert logged_numbers(layout) == [1]
    assert committed_snapshot(layout, "night-2") is None


def test_nothing_is_published_before_the_first_run(layout):
    assert current_snapshot(layout) is None
    assert logged_numbers(layout) == []


@pytest.mark.parametrize("read", READERS[:5])
def test_a_corpus_of_no_documents_can_still_be_read(layout, read):
    publish(layout, "night-1", [], SCHEMA)
    assert read(layout.results) == {}


def test_a_pinned_snapshot_stays_while_later_ones_are_published(layout):
    pinned = publish_ids(layout, "night-1", ["a"])
    publish_ids(layout, "night-2", ["b"])
    assert with_pandas(layout.results) == {"b": "night-2"}
    assert with_pandas(pinned.parts[0].path) == {"a": "night-1"}


@pytest.mark.parametrize("damage", ["cut", "emptied", "swapped"])
def test_a_damaged_part_is_not_published(layout, damage):
    publish_ids(layout, "night-1", ["a"])
    part = part_of(layout, "night-2", 0, documents(["a", "b"]))
    other = part_of(layout, "night-2", 1, documents(["c", "d"]))
    content = part.path.read_bytes()
    part.path.write_bytes(
        {"cut": content[:-8], "emptied": b"", "swapped": other.path.read_bytes()}[damage]
    )
    with pytest.raises(NocturnaError, match=f"{part.name}: was damaged"):
        publish(layout, "night-2", [part], SCHEMA)
    assert with_pandas(layout.results) == {"a": "night-1"}


def test_a_part_with_other_columns_is_not_published(layout):
    other = replace(COLUMNS, keep_text=True)
    docs = documents(["a"])
    rows = result_rows(docs, scores_of(docs), other, JOB, Trace("r", "1"))
    part = write_part(rows, layout.work("night-1"), "night-1", 0)
    with pytest.raises(NocturnaError, match="other columns"):
        publish(layout, "night-1", [part], SCHEMA)
    assert not layout.results.exists()


def test_a_part_is_not_published_twice_in_one_snapshot(layout):
    part = part_of(layout, "night-1", 0, documents(["a"]))
    with pytest.raises(NocturnaError, match="twice"):
        publish(layout, "night-1", [part, part], SCHEMA)


def test_a_number_that_another_run_took_meanwhile_is_not_overwritten(layout, monkeypatch):
    publish_ids(layout, "night-1", ["a"])
    real = files.rename

    def overtaken(source, target):
        if target == layout.snapshot(2):
            target.mkdir()
            (target / "theirs.parquet").touch()
        real(source, target)

    monkeypatch.setattr(files, "rename", overtaken)
    with pytest.raises(NocturnaError, match="another run committed"):
        publish_ids(layout, "night-2", ["b"])
    assert [p.name for p in layout.snapshot(2).iterdir()] == ["theirs.parquet"]
    assert with_pandas(layout.results) == {"a": "night-1"}


def test_a_folder_in_the_place_of_results_is_set_aside(layout, caplog):
    layout.results.mkdir(parents=True)
    (layout.results / "mine.txt").touch()
    publish_ids(layout, "night-1", ["a"])
    assert (layout.damaged / "results" / "mine.txt").exists()
    assert with_pandas(layout.results) == {"a": "night-1"}
    assert len(caplog.messages) == 1


def test_nothing_moves_before_what_it_stands_on_is_durable(layout, monkeypatch):
    """Parts before their folder, the folder before the commit, the commit before the link."""
    done = []
    for name in ("fsync", "rename", "link", "symlink"):
        real = getattr(files, name)

        def noted(*paths, name=name, real=real):
            real(*paths)
            done.append((name, *paths))

        monkeypatch.setattr(files, name, noted)
    part = part_of(layout, "night-1", 0, documents(["a"]))
    del done[:]
    publish(layout, "night-1", [part], SCHEMA)
    building = layout.snapshots / "00000001.tmp"
    entry = layout.entry(1)
    steps = [
        ("link", part.path, building / name_in_snapshot(part.name, 1)),
        ("fsync", building),
        ("fsync", files.temporary_of(entry)),
        ("fsync", layout.log),
        ("rename", building, layout.snapshot(1)),
        ("fsync", layout.snapshots),
        ("rename", files.temporary_of(entry), entry),
        ("fsync", layout.log),
        ("symlink", "snapshots/00000001", files.temporary_of(layout.results)),
        ("rename", files.temporary_of(layout.results), layout.results),
        ("fsync", layout.root),
    ]
    in_order = iter(done)
    assert [step for step in steps if step not in in_order] == []


def pruned(layout, now) -> list[int]:
    return [int(item.name) for item in clean(layout, Retention(), now) if item.kind == "snapshot"]


def test_pruning_keeps_three_snapshots_and_those_replaced_within_a_day(layout):
    for night in range(6):
        publish_ids(layout, f"night-{night}", ["a"], now=NIGHT + timedelta(days=night))
    last = NIGHT + timedelta(days=5)
    assert pruned(layout, last) == [1, 2, 3]
    assert [n for n in range(1, 7) if layout.snapshot(n).exists()] == [4, 5, 6]
    assert logged_numbers(layout) == [1, 4, 5, 6], "the first names the folder"
    assert with_pandas(layout.results) == {"a": "night-5"}
    assert pruned(layout, last + timedelta(days=30)) == []


def test_a_snapshot_is_kept_for_a_day_after_it_was_replaced(layout):
    """A reader may have opened the first one a moment before the second came, a year later."""
    times = [NIGHT, NIGHT + timedelta(days=365)]
    times += [times[1] + timedelta(minutes=n) for n in (1, 2, 3)]
    for night, time in enumerate(times):
        publish_ids(layout, f"night-{night}", ["a"], now=time)
    day_later = times[1] + timedelta(hours=24)
    assert pruned(layout, day_later - timedelta(seconds=1)) == []
    assert pruned(layout, day_later) == [1]


def test_a_clock_that_was_set_back_removes_nothing(layout):
    for night in range(5):
        publish_ids(layout, f"night-{night}", ["a"], now=NIGHT)
    assert pruned(layout, NIGHT - timedelta(days=1)) == []
