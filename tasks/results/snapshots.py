"""Snapshots: the set of parts that readers see, published in one step.

The order is what makes it safe: the parts are complete and durable, and the log entry is written
under a temporary name, before the snapshot folder gets its own; the link moves after that. The
folder's name is the commit point: a snapshot that has it is published, even if the process dies at
once; one that has not never was. The log says which run published it, and can be lost: `recover`
writes it anew from the folder. Where results are in an object store, the entry there is the commit
point, just before that of the folder (see `shared.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import Bad, set_aside
from nocturna.tasks.results.identity import Identity
from nocturna.tasks.results.layout import Layout, name_in_snapshot
from nocturna.tasks.results.log_entries import (
    Snapshot,
    committed_snapshot,
    current_snapshot,
    last_number,
    prepare_entry,
)
from nocturna.tasks.results.parts import is_sound, is_whole, schema_of, write_part
from nocturna.tasks.results.schema import same_columns
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.shared import next_number, put_snapshot, token_of

__all__ = ["Snapshot", "commit", "committed_snapshot", "current_snapshot", "flip", "publish"]


def publish(
    layout: Layout,
    run_id: str,
    parts: Sequence[PartFile],
    schema: pa.Schema,
    now: datetime | None = None,
    note: str | None = None,
    identity: Identity | None = None,
) -> Snapshot:
    """Makes `parts`, and nothing else, what readers see.

    Call it with the lock held, after `recover`. A run that is committed already is not published
    again: its snapshot is returned. Older snapshots are left to `clean`.

    Args:
        parts: every part of the new snapshot, wherever it is now: new ones in the run's work
            folder, carried ones in an earlier snapshot. They are linked, not moved.
        schema: the one schema that every part must have.
        now: time of publication; the present by default.
        note: reason to be kept in the log, for a run that a gate had refused.
        identity: what the rows were made from, to be kept in the log.

    Raises:
        NocturnaError: if a part is damaged or has other columns.
    """
    done = committed_snapshot(layout, run_id)
    if done is not None:
        flip(layout, done)
        return done
    with files.clear_errors(layout.root):
        parts = parts or [write_part(schema.empty_table(), layout.work(run_id), run_id, 0)]
        _check_parts(layout, parts, schema)
        return commit(layout, run_id, parts, now, note, identity=identity)


def commit(
    layout: Layout,
    run_id: str,
    parts: Sequence[PartFile],
    now: datetime | None = None,
    note: str | None = None,
    back_to: int | None = None,
    identity: Identity | None = None,
) -> Snapshot:
    """Makes parts that are known to be whole the next snapshot, and shows it.

    Without parts, nothing is published from then on: `results` is gone, as before the first run.
    """
    number = next_number(layout) if layout.uri else last_number(layout) + 1
    snapshot = Snapshot(
        number=number,
        run_id=run_id,
        published_at=(now or datetime.now(UTC)).isoformat(timespec="microseconds"),
        parts=tuple(_placed(part, layout.snapshot(number), number) for part in parts),
        note=note,
        back_to=back_to,
        identity=identity,
        token=token_of(layout),
    )
    building = _build_folder(layout, number, parts)
    waiting = prepare_entry(layout, snapshot)
    if layout.uri:
        put_snapshot(layout, snapshot, building, waiting)
    try:
        files.rename(building, layout.snapshot(number))
    except OSError as error:
        if not files.is_there(layout.snapshot(number)):
            raise
        raise NocturnaError(
            f"{layout.snapshot(number)}: another run committed this snapshot meanwhile; "
            "run the same command again"
        ) from error
    files.fsync(layout.snapshots)
    files.rename(waiting, layout.entry(number))
    files.fsync(layout.log)
    flip(layout, snapshot)
    return snapshot


def flip(layout: Layout, snapshot: Snapshot) -> bool:
    """Points `results` at a snapshot; what is in its place and is no link is set aside.

    Returns:
        whether it pointed elsewhere.
    """
    target = f"{layout.snapshots.name}/{layout.snapshot(snapshot.number).name}"
    link = layout.results
    if link.is_symlink():
        if not snapshot.parts:
            files.unlink(link)
            files.fsync(layout.root)
            return True
        if link.readlink() == Path(target):
            return False
    elif files.is_there(link):
        reason = "is a file or folder of its own, where results are published as a link"
        set_aside(layout, "things in the place of results", [Bad(link, reason)])
    if not snapshot.parts:
        return False
    temporary = files.temporary_of(link)
    files.unlink(temporary)
    files.symlink(target, temporary)
    files.rename(temporary, link)
    files.fsync(layout.root)
    return True


def _check_parts(layout: Layout, parts: Sequence[PartFile], schema: pa.Schema) -> None:
    names = [part.name for part in parts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise NocturnaError(f"{layout.root}: part {twice} would be in the snapshot twice")
    for part in parts:
        carried = part.path.is_relative_to(layout.snapshots)
        if not (is_sound(part) if carried else is_whole(part)):
            raise NocturnaError(
                f"{part.path}: was damaged after it was {'published' if carried else 'written'}; "
                "run the same command again, it scores that part once more"
            )
        if not same_columns(schema_of(part.path), schema):
            raise NocturnaError(
                f"{part.path}: has other columns than the rest of the snapshot; "
                "run again with --full"
            )


def _build_folder(layout: Layout, number: int, parts: Sequence[PartFile]) -> Path:
    """The folder of a snapshot under its temporary name; closed to others if its rows hold text."""
    building = layout.snapshot(number).with_suffix(".tmp")
    files.make_folder(layout.snapshots)
    files.remove_folder(building)
    private = bool(parts) and "text" in schema_of(parts[0].path).names
    building.mkdir(0o700 if private else 0o777)
    for part in parts:
        files.link_or_copy(part.path, _placed(part, building, number).path)
    files.fsync(building)
    return building


def _placed(part: PartFile, folder: Path, number: int) -> PartFile:
    path = folder / name_in_snapshot(part.name, number)
    return PartFile(path, part.rows, part.bytes, part.sha256)
