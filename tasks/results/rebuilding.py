"""Log entries that were lost, written anew from the snapshot folders themselves."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import aside
from nocturna.tasks.results.layout import PART_NAME, Layout, number_of, short_run_id
from nocturna.tasks.results.log_entries import Snapshot, prepare_entry, stored_entry, waiting_entry
from nocturna.tasks.results.manifest import run_folders, stored_manifest
from nocturna.tasks.results.parts import sha256_of
from nocturna.tasks.results.shard_records import PartFile

_UNKNOWN = "unknown"
_log = logging.getLogger(__name__)


def is_part_of(name: str, number: int) -> bool:
    """Whether a file of that name is a part that was put into the snapshot of that number."""
    found = PART_NAME.fullmatch(name)
    return found is not None and int(found[3] or 0) == number


def restore_log(layout: Layout) -> None:
    """Gives each snapshot folder without a log entry one; call it with the lock held.

    A run that died between its commit and its log entry left that under a temporary name. Where
    that is gone too, file names, Parquet metadata and the manifests of the runs say what is known.
    """
    lost = []
    known: dict[tuple[int, int], str] = {}
    log_aside = aside(layout, layout.log)
    told_of_all = log_aside is not None and not files.is_folder(log_aside)
    for folder in files.listed(layout.snapshots):
        number = number_of(folder.name)
        if number is None or stored_entry(layout, number) is not None:
            continue
        waiting = waiting_entry(layout, number)
        snapshot = waiting or _rebuilt(layout, number, known)
        if snapshot is None:
            continue
        files.rename(prepare_entry(layout, snapshot), layout.entry(number))
        files.fsync(layout.log)
        if not (waiting or told_of_all or aside(layout, layout.entry(number))):
            lost.append(number)
    if lost:
        first = layout.entry(lost[0])
        others = f" and those of {len(lost) - 1:,} other snapshots" if len(lost) > 1 else ""
        _log.warning("%s: was lost%s; written anew from the snapshot itself", first, others)


def _rebuilt(layout: Layout, number: int, known: dict[tuple[int, int], str]) -> Snapshot | None:
    """What a snapshot folder says of itself; None if it is not one that we made."""
    folder = layout.snapshot(number)
    inside = files.listed(folder)
    ours = [path for path in inside if is_part_of(path.name, number)]
    taken_back = not inside and not files.is_there(layout.results)
    if not files.is_folder(folder) or not (ours or taken_back):
        return None
    run_id, finished = _publisher(layout, number, ours)
    when = datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat(timespec="microseconds")
    return Snapshot(
        number=number,
        run_id=run_id,
        published_at=finished or when,
        parts=tuple(_part(path, known) for path in ours),
        back_to=None if ours else 0,
    )


def _part(path: Path, known: dict[tuple[int, int], str]) -> PartFile:
    """A part as it is on the disk; with the hash of its name alone where it is damaged."""
    found = PART_NAME.fullmatch(path.name)
    assert found is not None
    damaged = PartFile(path, 0, 0, found[2])
    if not files.is_file(path):
        return damaged
    try:
        facts = path.stat()
        rows = pq.read_metadata(path).num_rows
        inode = (facts.st_dev, facts.st_ino)
        if inode not in known:
            known[inode] = sha256_of(path)
    except (OSError, pa.ArrowException):
        return damaged
    digest = known[inode]
    return PartFile(path, rows, facts.st_size, digest) if digest[:8] == found[2] else damaged


def _publisher(layout: Layout, number: int, parts: list[Path]) -> tuple[str, str | None]:
    """The run that published a snapshot and when it was done, as far as manifests tell."""
    wrote = {found[1] for path in parts if (found := PART_NAME.fullmatch(path.name))}
    likely = _UNKNOWN
    for run_id in run_folders(layout):
        stored = stored_manifest(layout, run_id)
        if stored and stored.value and stored.value.snapshot == number:
            return run_id, stored.value.finished_at
        if short_run_id(run_id) in wrote:
            likely = run_id
    return likely, None
