from datetime import UTC, datetime, timedelta

import pytest

from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results import files
from nocturna.tasks.results.log_entries import logged_numbers
from nocturna.tasks.results.manifest import PUBLISHED, READY, read_manifest, write_manifest
from nocturna.tasks.results.pruning import clean
from nocturna.tasks.results.recovery import Recovery, close_run, recover
from nocturna.tasks.results.snapshots import current_snapshot, publish
from nocturna.tasks.results.sql import spill_folder
from tests.results.examples import SCHEMA, documents, manifest_of, part_of, publish_ids, run_of
from tests.results.readers import with_pandas


class Killed(BaseException):
    """Stands for the end of the process: nothing between here and the test handles it."""


def dies_before(monkeypatch, name, condition):
    real = getattr(files, name)

    def dying(*paths):
        if condition(*paths):
            raise Killed
        real(*paths)

    monkeypatch.setattr(files, name, dying)


def test_a_folder_that_was_never_used_needs_nothing(layout):
    assert recover(layout) == Recovery()
    assert not layout.root.exists()


def test_after_a_good_end_there_is_nothing_to_do(layout):
    write_manifest(layout, manifest_of(run_of(1), status=READY))
    snapshot = publish_ids(layout, run_of(1), ["a"])
    assert close_run(layout, snapshot)
    assert not layout.work(run_of(1)).exists()
    assert recover(layout) == Recovery()


def test_dying_after_the_commit_publishes(layout, monkeypatch):
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    write_manifest(layout, manifest_of(run_of(2), status=READY))
    with monkeypatch.context() as patch:
        dies_before(patch, "symlink", lambda target, path: True)
        with pytest.raises(Killed):
            publish_ids(layout, run_of(2), ["b"])
    assert with_pandas(layout.results) == {"a": run_of(1)}
    assert recover(layout) == Recovery(flipped=True, finished=run_of(2))
    assert with_pandas(layout.results) == {"b": run_of(2)}
    manifest = read_manifest(layout, run_of(2))
    assert (manifest.status, manifest.snapshot) == (PUBLISHED, 2)
    assert not layout.work(run_of(2)).exists()


def test_dying_with_the_link_half_flipped_publishes(layout, monkeypatch):
    publish_ids(layout, run_of(1), ["a"])
    with monkeypatch.context() as patch:
        dies_before(patch, "rename", lambda source, target: target == layout.results)
        with pytest.raises(Killed):
            publish_ids(layout, run_of(2), ["b"])
    assert files.temporary_of(layout.results).is_symlink()
    assert recover(layout).flipped
    assert with_pandas(layout.results) == {"b": run_of(2)}
    assert not files.temporary_of(layout.results).is_symlink()


def test_dying_between_the_commit_and_its_log_entry_publishes(layout, monkeypatch, caplog):
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    write_manifest(layout, manifest_of(run_of(2), status=READY))
    with monkeypatch.context() as patch:
        dies_before(patch, "rename", lambda source, target: target == layout.entry(2))
        with pytest.raises(Killed):
            publish_ids(layout, run_of(2), ["b"], note="seen by a person")
    assert recover(layout) == Recovery(flipped=True, finished=run_of(2))
    assert with_pandas(layout.results) == {"b": run_of(2)}
    assert current_snapshot(layout).note == "seen by a person"
    assert caplog.messages == []


def test_dying_before_the_commit_does_not(layout, monkeypatch):
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    write_manifest(layout, manifest_of(run_of(2), status=READY))
    with monkeypatch.context() as patch:
        dies_before(patch, "rename", lambda source, target: target == layout.snapshot(2))
        with pytest.raises(Killed):
            publish_ids(layout, run_of(2), ["b"])
    assert recover(layout) == Recovery(dropped=("00000002.tmp",))
    assert with_pandas(layout.results) == {"a": run_of(1)}
    assert sorted(p.name for p in layout.log.iterdir()) == ["00000001.json"]
    assert len(list(layout.work(run_of(2)).iterdir())) == 1

    part = part_of(layout, run_of(2), 0, documents(["b"]))
    publish(layout, run_of(2), [part], SCHEMA)
    assert with_pandas(layout.results) == {"b": run_of(2)}
    assert logged_numbers(layout) == [1, 2]


def test_a_snapshot_in_the_making_is_dropped(layout, monkeypatch):
    write_manifest(layout, manifest_of(run_of(1), status=READY))
    with monkeypatch.context() as patch:
        dies_before(patch, "rename", lambda source, target: target == layout.snapshot(1))
        with pytest.raises(Killed):
            publish_ids(layout, run_of(1), ["a"])
    assert recover(layout).dropped == ("00000001.tmp",)
    assert list(layout.snapshots.iterdir()) == []


def test_a_missing_link_is_made_again(layout):
    publish_ids(layout, run_of(1), ["a"])
    layout.results.unlink()
    assert recover(layout).flipped
    assert with_pandas(layout.results) == {"a": run_of(1)}


def test_a_run_that_died_before_its_plan_leaves_nothing(layout):
    """Its index is there, and perhaps half a plan, but nothing says what it was about."""
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    layout.index(run_of(2)).mkdir(parents=True)
    (layout.index(run_of(2)) / "index-0.parquet").touch()
    layout.run(run_of(3)).mkdir(parents=True)
    write_manifest(layout, manifest_of(run_of(4)))
    layout.index(run_of(4)).mkdir(parents=True)
    assert recover(layout).dropped == (run_of(2),)
    assert [p.name for p in (layout.root / "work").iterdir()] == [run_of(4)]
    assert [p.name for p in layout.runs.iterdir()] == [run_of(4)]


@pytest.mark.parametrize("status", ["refused", "stopped", "failed", "running"])
def test_the_work_of_a_run_that_was_never_published_is_kept_for_a_week(layout, status):
    start = datetime(2026, 11, 2, 2, tzinfo=UTC)
    started = manifest_of(run_of(1), status=status, started_at=start.isoformat())
    write_manifest(layout, started)
    part_of(layout, run_of(1), 0, documents(["a"]))
    clean(layout, Retention(), start + timedelta(days=7, seconds=-1))
    assert layout.work(run_of(1)).exists()
    clean(layout, Retention(), start + timedelta(days=7))
    assert not layout.work(run_of(1)).exists()
    assert layout.manifest(run_of(1)).exists()


def test_what_a_query_spilled_before_it_was_killed_is_removed(layout):
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    spilled = spill_folder(layout) / "duckdb_temp_storage-0.tmp"
    spilled.parent.mkdir(parents=True)
    spilled.touch()
    recover(layout)
    assert list((layout.root / "work").iterdir()) == []


def test_foreign_files_beside_snapshots_are_left_alone(layout):
    publish_ids(layout, run_of(1), ["a"])
    close_run(layout, current_snapshot(layout))
    (layout.snapshots / "notes").mkdir()
    assert recover(layout).dropped == ()
    assert (layout.snapshots / "notes").exists()


def test_a_file_that_a_full_disk_cut_short_does_not_stay(layout):
    """Not even that of a run that nobody goes on with."""
    publish_ids(layout, run_of(1), ["a"])
    write_manifest(layout, manifest_of(run_of(2), status=READY))
    cut = files.temporary_of(layout.manifest(run_of(2)).with_name("openlineage.ndjson"))
    cut.write_bytes(b"")
    recover(layout)
    assert not cut.exists()
    assert layout.manifest(run_of(2)).exists()
