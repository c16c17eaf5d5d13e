"""What is over the retention goes; what readers, other people or a later night need stays."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from nocturna.tasks.cached import keep_cached, read_cached
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.log_entries import logged_numbers
from nocturna.tasks.results.manifest import list_runs, write_manifest
from nocturna.tasks.results.pruning import MOST_SKIPPED, clean, surplus
from nocturna.tasks.results.recovery import close_run, recover
from nocturna.tasks.results.snapshots import current_snapshot, publish
from nocturna.tasks.unused import remove_unused, unused
from tests.results.examples import SCHEMA, documents, manifest_of, part_of, publish_ids, run_of
from tests.results.readers import with_pandas

FIRST = datetime(2026, 11, 2, 2, tzinfo=UTC)
LATER = FIRST + timedelta(days=300)
SHORT = Retention(snapshots=2, runs=3, work_days=5, quarantine_days=20)


@pytest.fixture
def layout(tmp_path):
    return layout_of(tmp_path, "prensa")


def nights(layout, count: int) -> None:
    """Nights that are published a day apart, each with all rows anew, and what they leave."""
    for night in range(1, count + 1):
        time = FIRST + timedelta(days=night - 1)
        run_id = run_of(night)
        write_manifest(layout, manifest_of(run_id, started_at=time.isoformat()))
        for path in (layout.plan(run_id), layout.metrics(run_id)):
            path.write_text("{}")
        layout.quarantine(run_id).mkdir(parents=True)
        (layout.quarantine(run_id) / "rows-000000.parquet").write_bytes(b"x" * 1000)
        publish_ids(layout, run_id, ["a", "b"], now=time)
        close_run(layout, current_snapshot(layout))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_what_is_over_the_retention_goes_and_nothing_else(layout):
    nights(layout, 8)
    before = set(layout.root.rglob("*"))
    found = surplus(layout, SHORT, LATER)
    assert before == set(layout.root.rglob("*")), "looking changes nothing"
    assert clean(layout, SHORT, LATER) == found
    assert names(layout.snapshots) == ["00000007", "00000008"]
    assert names(layout.runs) == [run_of(6), run_of(7), run_of(8)]
    assert logged_numbers(layout) == [1, 6, 7, 8]
    assert names(layout.root / "quarantine") == []
    assert with_pandas(layout.results) == {"a": run_of(8), "b": run_of(8)}
    assert [run.status for run in list_runs(layout)] == ["published"] * 3
    assert not layout.plan(run_of(6)).exists(), "nobody goes on with a run that is published"
    assert clean(layout, SHORT, LATER) == []
    recover(layout)
    assert names(layout.root / "damaged") == []
    assert logged_numbers(layout) == [1, 6, 7, 8]


def test_nothing_goes_that_somebody_may_still_be_reading(layout):
    nights(layout, 6)
    soon = FIRST + timedelta(days=5, hours=1)
    clean(layout, SHORT, soon)
    assert names(layout.snapshots) == ["00000005", "00000006"], "replaced more than a day ago"
    publish_ids(layout, run_of(7), ["a"], now=soon)
    publish_ids(layout, run_of(8), ["a"], now=soon)
    clean(layout, SHORT, soon + timedelta(hours=23))
    assert names(layout.snapshots)[0] == "00000006", "6 was replaced 23 hours ago"


def test_the_record_of_a_run_stays_as_long_as_a_row_names_it(layout):
    publish_ids(layout, run_of(1), ["a"], now=FIRST)
    old = current_snapshot(layout).parts
    write_manifest(layout, manifest_of(run_of(1), started_at=FIRST.isoformat()))
    for night in range(2, 8):
        time = FIRST + timedelta(days=night)
        write_manifest(layout, manifest_of(run_of(night), started_at=time.isoformat()))
        new = part_of(layout, run_of(night), 0, documents(["b"]))
        kept = [part for part in current_snapshot(layout).parts if part.sha256 == old[0].sha256]
        publish(layout, run_of(night), [*kept, new], SCHEMA, now=time)
    clean(layout, SHORT, LATER)
    assert names(layout.runs) == [run_of(1), run_of(5), run_of(6), run_of(7)]
    assert with_pandas(layout.results) == {"a": run_of(1), "b": run_of(7)}


def test_what_others_put_there_stays(layout, tmp_path):
    nights(layout, 8)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    (layout.run(run_of(1)) / "notes.txt").write_text("seen")
    (layout.quarantine(run_of(2)) / "notes.txt").write_text("seen")
    (layout.runs / "own-folder").mkdir()
    (layout.runs / "own-folder" / "file").write_text("x")
    (layout.root / "quarantine" / run_of(3)).rename(tmp_path / "gone")
    (layout.root / "quarantine" / run_of(3)).symlink_to(mine)
    (layout.root / "work").mkdir(exist_ok=True)
    layout.work(run_of(4)).symlink_to(mine)
    clean(layout, SHORT, LATER)
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert names(layout.run(run_of(1))) == ["notes.txt"]
    assert names(layout.quarantine(run_of(2))) == ["notes.txt"]
    assert (layout.runs / "own-folder" / "file").exists()
    assert layout.work(run_of(4)).is_symlink()


def test_nights_that_never_began_do_not_push_out_those_that_did(layout):
    nights(layout, 3)
    for number in range(MOST_SKIPPED + 20):
        run_id = f"20261201T{number // 60:02}{number % 60:02}00-{number:08x}"
        skipped = manifest_of(run_id, status="skipped", started_at="2026-12-01T00:00:00+00:00")
        write_manifest(layout, skipped)
    clean(layout, SHORT, LATER)
    statuses = [run.status for run in list_runs(layout)]
    assert statuses.count("published") == 3
    assert statuses.count("skipped") == MOST_SKIPPED


def test_what_nobody_used_for_long_leaves_the_cache(tmp_path):
    now = datetime.now(UTC)
    for name, days in (("a" * 24, 100), ("b" * 24, 10), ("somebody-else", 100)):
        file = tmp_path / "openvino" / name / "model.xml"
        file.parent.mkdir(parents=True)
        file.write_text("x")
        then = (now - timedelta(days=days)).timestamp()
        os.utime(file, (then, then))
        os.utime(file.parent, (then, then))
    fact = tmp_path / "tokenizers" / ("c" * 24)
    keep_cached(fact, b"{}")
    os.utime(fact, (0, 0))
    found = unused(tmp_path, days=90)
    assert [item.path.name for item in found] == ["a" * 24, fact.name]
    assert read_cached(fact) == b"{}", "and that is a use of it"
    assert [item.path.name for item in unused(tmp_path, days=90)] == ["a" * 24]
    remove_unused(found[:1])
    assert names(tmp_path / "openvino") == ["b" * 24, "somebody-else"]
