"""Putting an output folder right after a run died, and removing what is no longer needed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tasks.errors import NocturnaError
from tasks.results import files
from tasks.results.layout import Layout, is_run_id, number_of
from tasks.results.manifest import PUBLISHED, list_runs, read_manifest, settled, write_manifest
from tasks.results.snapshots import (
    Snapshot,
    committed_numbers,
    current_snapshot,
    flip,
    read_entry,
)
from tasks.results.sql import spill_folder

KEEP_SNAPSHOTS = 3
KEEP_FOR = timedelta(hours=24)
KEEP_WORK = timedelta(days=7)
"""How long the work of a run that was not published is kept, to go on with or to look at."""


@dataclass(frozen=True)
class Recovery:
    """What `recover` found and put right; all empty after a run that ended well.

    Attributes:
        flipped: `results` did not show the newest committed snapshot.
        finished: the run that was committed, but had not been closed.
        dropped: snapshots that were never committed or were half removed, and runs that died before
            they had a plan.
    """

    flipped: bool = False
    finished: str | None = None
    dropped: tuple[str, ...] = ()


def recover(layout: Layout) -> Recovery:
    """Puts an output folder right: call it at the start of a run, with the lock held.

    Points `results` at the newest committed snapshot, closes the run that published it, and
    removes snapshots that were never committed and temporary files. Shards that are done stay, so
    that their run can go on. Dying during recovery does no harm: the next one does the rest.

    Raises:
        NocturnaError: if the newest committed snapshot is missing from the disk.
    """
    with files.clear_errors(layout.root):
        snapshot = current_snapshot(layout)
        flipped = _point_at(layout, snapshot)
        dropped = _drop_uncommitted(layout)
        dropped += _drop_unplanned(layout)
        files.remove_folder(spill_folder(layout))
        for temporary in _temporaries(layout):
            files.unlink(temporary)
        finished = snapshot is not None and close_run(layout, snapshot)
    run_id = snapshot.run_id if snapshot is not None and finished else None
    return Recovery(flipped, run_id, tuple(dropped))


def close_run(layout: Layout, snapshot: Snapshot) -> bool:
    """Notes in a run's manifest that it is published, and removes its work folder.

    Returns:
        whether there was anything left to do.
    """
    left = layout.work(snapshot.run_id).is_dir()
    if layout.manifest(snapshot.run_id).exists():
        manifest = read_manifest(layout, snapshot.run_id)
        if manifest.status != PUBLISHED:
            write_manifest(layout, settled(manifest, snapshot))
            left = True
    files.remove_folder(layout.work(snapshot.run_id))
    return left


def prune(
    layout: Layout,
    now: datetime | None = None,
    keep: int = KEEP_SNAPSHOTS,
    keep_for: timedelta = KEEP_FOR,
) -> list[int]:
    """Removes old snapshots: those beyond the newest `keep` that were replaced `keep_for` ago.

    Time counts from when a later snapshot replaced it, so that a reader has `keep_for` to finish.
    Log entries stay. The work of runs that started seven days ago and were never published goes
    too. Call it with the lock held.

    Returns:
        the numbers of the snapshots that were removed.
    """
    now = now or datetime.now(UTC)
    numbers = committed_numbers(layout)
    removed = []
    with files.clear_errors(layout.root):
        for number, successor in pairwise(numbers[: len(numbers) - keep + 1]):
            folder = layout.snapshot(number)
            replaced_at = datetime.fromisoformat(read_entry(layout, successor).published_at)
            if folder.is_dir() and now - replaced_at >= keep_for:
                _remove_snapshot(layout, folder)
                removed.append(number)
        for run in list_runs(layout):
            if now - datetime.fromisoformat(run.started_at) >= KEEP_WORK:
                files.remove_folder(layout.work(run.run_id))
    return removed


def _point_at(layout: Layout, snapshot: Snapshot | None) -> bool:
    if snapshot is None:
        return False
    folder = layout.snapshot(snapshot.number)
    missing = next((p.path for p in snapshot.parts if not p.path.exists()), None)
    if missing is not None:
        raise NocturnaError(
            f"{missing}: a part of the published snapshot is missing; "
            "restore it from a copy, or score again into another folder"
        )
    before = layout.results.readlink().name if layout.results.is_symlink() else None
    flip(layout, snapshot.number)
    return before != folder.name


def _drop_uncommitted(layout: Layout) -> list[str]:
    committed = set(committed_numbers(layout))
    if not layout.snapshots.is_dir():
        return []
    dropped = []
    for folder in sorted(layout.snapshots.iterdir()):
        number = number_of(folder.name)
        if folder.suffix == ".tmp" or (number is not None and number not in committed):
            files.remove_folder(folder)
            dropped.append(folder.name)
    return dropped


def _drop_unplanned(layout: Layout) -> list[str]:
    """Removes what is left of runs that died so early that nothing says what they were about."""
    committed = {read_entry(layout, number).run_id for number in committed_numbers(layout)}
    homes = [layout.runs, layout.root / "work", layout.root / "quarantine"]
    folders = [f for home in homes if home.is_dir() for f in sorted(home.iterdir()) if f.is_dir()]
    early = [
        f
        for f in folders
        if is_run_id(f.name)
        and f.name not in committed
        and not (layout.runs / f.name / "manifest.json").exists()
    ]
    for folder in early:
        files.remove_folder(folder)
    return list(dict.fromkeys(folder.name for folder in early))


def _remove_snapshot(layout: Layout, folder: Path) -> None:
    leaving = folder.with_suffix(".tmp")
    files.rename(folder, leaving)
    files.fsync(layout.snapshots)
    files.remove_folder(leaving)


def _temporaries(layout: Layout) -> list[Path]:
    """What a run that died left of files that it was writing, in the work folders excepted."""
    homes = [layout.log.glob(".*.tmp")]
    homes += [home.glob("*/.*.tmp") for home in (layout.runs, layout.root / "quarantine")]
    return [files.temporary_of(layout.results), *(path for home in homes for path in sorted(home))]
