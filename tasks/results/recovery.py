"""Putting an output folder right after a run died or something was lost."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from nocturna.tasks.results import files
from nocturna.tasks.results.checking import check_homes, check_records
from nocturna.tasks.results.damaged import Bad, aside, set_aside, tell
from nocturna.tasks.results.layout import Layout, is_run_id, number_of
from nocturna.tasks.results.log_entries import (
    Snapshot,
    committed,
    current_snapshot,
)
from nocturna.tasks.results.manifest import (
    PUBLISHED,
    run_folders,
    settled,
    stored_manifest,
    write_manifest,
)
from nocturna.tasks.results.rebuilding import is_part_of, restore_log
from nocturna.tasks.results.snapshots import flip
from nocturna.tasks.results.sql import spill_folder
from nocturna.tasks.results.stored import why

_BUILDING = re.compile(r"[0-9]{8}\.tmp")
_WORK = re.compile(
    r"part-.*\.parquet|shard-[0-9]+\.json|index|shards|staged|difference|delta|summaries|pieces|\..*\.tmp"
)
"""What a run puts into its work folder; `delta` is what earlier versions called `difference`."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovery:
    """What `recover` found and put right; all empty after a run that ended well.

    Attributes:
        flipped: `results` did not show the newest snapshot.
        finished: the run that was committed, but had not been closed.
        dropped: snapshots that were never committed or were half removed, and the work of runs
            that died before they had a plan.
    """

    flipped: bool = False
    finished: str | None = None
    dropped: tuple[str, ...] = ()


def recover(layout: Layout) -> Recovery:
    """Puts an output folder right: call it at the start of a run, with the lock held.

    Sets aside what cannot be read, writes lost log entries anew, points `results` at the newest
    snapshot that is there, closes the run that published it, and removes snapshots that were
    never committed and temporary files. Shards that are done stay, so that their run can go on.
    Dying during recovery does no harm: the next one does the rest. Only what a run made is
    removed, by its name, and never through a link.
    """
    with files.clear_errors(layout.root):
        check_homes(layout)
        check_records(layout)
        dropped = _drop_uncommitted(layout)
        restore_log(layout)
        snapshot = current_snapshot(layout)
        _tell_lost(layout, snapshot)
        flipped = snapshot is not None and flip(layout, snapshot)
        dropped += _drop_work(layout)
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
    if not is_run_id(snapshot.run_id):
        return False
    left = files.is_folder(layout.work(snapshot.run_id))
    found = stored_manifest(layout, snapshot.run_id)
    manifest = found.value if found and not found.newer else None
    if manifest is not None and manifest.status != PUBLISHED:
        write_manifest(layout, settled(manifest, snapshot))
        left = True
    discard_work(layout, snapshot.run_id)
    return left


def discard_work(layout: Layout, run_id: str) -> None:
    """Removes the work of a run; what it did not put there is set aside."""
    folder = layout.work(run_id)
    strange = [path for path in files.listed(folder) if not _WORK.fullmatch(path.name)]
    _keep_strange(layout, strange)
    try:
        files.remove_folder(folder)
    except PermissionError as error:
        tell("work folders", [Bad(folder, f"cannot be removed: {why(error)}")])


def _keep_strange(layout: Layout, paths: list[Path]) -> None:
    reason = "is not from a run, and the folder that it is in is removed"
    set_aside(layout, "things", [Bad(path, reason) for path in paths])


def _tell_lost(layout: Layout, snapshot: Snapshot | None) -> None:
    """Says where the newest snapshot is gone, and what results show in its place."""
    logged = committed(layout)
    newest = logged[-1] if logged else None
    if newest is None or (snapshot is not None and snapshot.number == newest.number):
        return
    instead = "nothing is published, everything is scored anew"
    if snapshot is not None:
        instead = f"results show snapshot {snapshot.number} again, what it lacks is scored anew"
    _log.warning("%s: the current snapshot is gone; %s", layout.snapshot(newest.number), instead)


def _drop_uncommitted(layout: Layout) -> list[str]:
    """Removes snapshots that were being made or removed when their run died."""
    dropped = []
    for folder in files.listed(layout.snapshots):
        if _BUILDING.fullmatch(folder.name) and files.is_folder(folder):
            _keep_strange(layout, _strange(folder, number_of(folder.stem) or 0))
            files.remove_folder(folder)
            dropped.append(folder.name)
    return dropped


def _drop_work(layout: Layout) -> list[str]:
    """Removes the work of runs that are published, or died before they had a plan."""
    published = {snapshot.run_id for snapshot in committed(layout)}
    dropped = []
    for run_id in _run_folders_in(layout.root / "work"):
        planned = files.is_there(layout.plan(run_id)) or files.is_there(layout.manifest(run_id))
        planned = planned or aside(layout, layout.run(run_id)) is not None
        if run_id in published or not planned:
            discard_work(layout, run_id)
            dropped += [] if planned else [run_id]
    for home in (layout.runs, layout.root / "quarantine"):
        for run_id in _run_folders_in(home):
            files.remove_empty(home / run_id)
    return dropped


def _run_folders_in(home: Path) -> list[str]:
    return [f.name for f in files.listed(home) if is_run_id(f.name) and files.is_folder(f)]


def _strange(folder: Path, number: int) -> list[Path]:
    return [path for path in files.listed(folder) if not is_part_of(path.name, number)]


def remove_snapshot(layout: Layout, number: int) -> None:
    """Removes the parts of a snapshot, so that none of them is left without the others."""
    folder = layout.snapshot(number)
    if not files.is_folder(folder):
        return  # in a store, and never fetched here
    leaving = folder.with_suffix(".tmp")
    _keep_strange(layout, _strange(folder, number))
    files.rename(folder, leaving)
    files.fsync(layout.snapshots)
    files.remove_folder(leaving)


def _temporaries(layout: Layout) -> list[Path]:
    """What a run that died left of files that it was writing, in the work folders excepted."""
    folders = [layout.log]
    folders += [layout.run(run_id) for run_id in run_folders(layout)]
    quarantine = layout.root / "quarantine"
    folders += [quarantine / run_id for run_id in _run_folders_in(quarantine)]
    found = [p for folder in folders for p in files.listed(folder)]
    ours = [p for p in found if p.name.startswith(".") and p.suffix == ".tmp"]
    return [files.temporary_of(layout.results), *(p for p in ours if not files.is_folder(p))]
