"""Snapshots: the set of parts that readers see, published in one step.

The order is what makes it safe: the parts are complete and durable before the snapshot folder gets
its name, the folder before the log entry exists, and the log entry, put only if it is absent,
before the symlink moves. The log entry is the commit point: what it names is published, even if
the process dies at once; what it does not name never was.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.errors import NocturnaError, UsageError
from tasks.results import files
from tasks.results.identity import Identity, identity_from
from tasks.results.layout import Layout, name_in_snapshot, number_of
from tasks.results.parts import is_whole, schema_of, write_part
from tasks.results.records import PartFile, to_json
from tasks.results.schema import same_columns


@dataclass(frozen=True)
class Snapshot:
    """A committed snapshot.

    Attributes:
        number: its number; they only grow.
        run_id: the run that published it.
        published_at: when, ISO 8601 in UTC.
        parts: its files, in the order they were given.
        note: why it was published in spite of a quality gate, if it was.
        identity: what it was made from; None where its entry does not say.
    """

    number: int
    run_id: str
    published_at: str
    parts: tuple[PartFile, ...]
    note: str | None = None
    identity: Identity | None = None

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


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
    again: its snapshot is returned. Older snapshots are left to `prune`.

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
        flip(layout, done.number)
        return done
    with files.clear_errors(layout.root):
        parts = parts or [write_part(schema.empty_table(), layout.work(run_id), run_id, 0)]
        _check_parts(layout, parts, schema)
        number = last_number(layout) + 1
        _build_folder(layout, number, parts)
        snapshot = Snapshot(
            number=number,
            run_id=run_id,
            published_at=(now or datetime.now(UTC)).isoformat(timespec="microseconds"),
            parts=tuple(_placed(part, layout.snapshot(number), number) for part in parts),
            note=note,
            identity=identity,
        )
        _commit(layout, snapshot)
        flip(layout, number)
    return snapshot


def flip(layout: Layout, number: int) -> None:
    """Points `results` at a committed snapshot; nothing happens if it does already."""
    target = f"{layout.snapshots.name}/{layout.snapshot(number).name}"
    if layout.results.is_symlink() and layout.results.readlink() == Path(target):
        return
    if layout.results.exists() and not layout.results.is_symlink():
        raise UsageError(
            f"{layout.results}: is a file or folder of its own, but results are published as a "
            "link here; move it away and run again"
        )
    temporary = files.temporary_of(layout.results)
    files.unlink(temporary)
    files.symlink(target, temporary)
    files.rename(temporary, layout.results)
    files.fsync(layout.root)


def current_snapshot(layout: Layout) -> Snapshot | None:
    """The newest committed snapshot, for readers that want one view while others are published.

    Its parts stay where they are for at least 24 hours after a later snapshot replaced them.
    """
    number = last_number(layout)
    return read_entry(layout, number) if number else None


def committed_snapshot(layout: Layout, run_id: str) -> Snapshot | None:
    """The snapshot that a run published, or None if it has not."""
    for number in reversed(committed_numbers(layout)):
        snapshot = read_entry(layout, number)
        if snapshot.run_id == run_id:
            return snapshot
    return None


def committed_numbers(layout: Layout) -> list[int]:
    """The numbers of every snapshot that was ever committed, growing."""
    if not layout.log.is_dir():
        return []
    numbers = (number_of(entry.name) for entry in layout.log.iterdir())
    return sorted(number for number in numbers if number is not None)


def last_number(layout: Layout) -> int:
    """The number of the newest committed snapshot, 0 if there is none."""
    return max(committed_numbers(layout), default=0)


def read_entry(layout: Layout, number: int) -> Snapshot:
    """A snapshot as its log entry describes it.

    Raises:
        NocturnaError: if the entry cannot be read.
    """
    path = layout.entry(number)
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        folder = layout.snapshot(number)
        parts = tuple(
            PartFile(folder / p["name"], p["rows"], p["bytes"], p["sha256"])
            for p in values["parts"]
        )
        identity = identity_from(values.get("identity"))
        note = values.get("note")
        return Snapshot(number, values["run_id"], values["published_at"], parts, note, identity)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NocturnaError(
            f"{path}: the log entry of a snapshot is unreadable: {error}"
        ) from error


def _check_parts(layout: Layout, parts: Sequence[PartFile], schema: pa.Schema) -> None:
    names = [part.name for part in parts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise NocturnaError(f"{layout.root}: part {twice} would be in the snapshot twice")
    for part in parts:
        if not is_whole(part):
            raise NocturnaError(
                f"{part.path}: was damaged after it was written; "
                "run the same command again, it scores that shard once more"
            )
        if not same_columns(schema_of(part.path), schema):
            raise NocturnaError(
                f"{part.path}: has other columns than the rest of the snapshot; "
                "run again with --full"
            )


def _build_folder(layout: Layout, number: int, parts: Sequence[PartFile]) -> None:
    folder = layout.snapshot(number)
    building = folder.with_suffix(".tmp")
    files.make_folder(layout.snapshots)
    files.remove_folder(building)
    building.mkdir()
    for part in parts:
        files.link_or_copy(part.path, _placed(part, building, number).path)
    files.fsync(building)
    files.rename(building, folder)
    files.fsync(layout.snapshots)


def _commit(layout: Layout, snapshot: Snapshot) -> None:
    files.make_folder(layout.log)
    entry = layout.entry(snapshot.number)
    temporary = files.temporary_of(entry)
    files.write_durable(temporary, to_json(_entry_values(snapshot)))
    try:
        files.link(temporary, entry)
    except FileExistsError:
        raise NocturnaError(
            f"{entry}: another run committed this snapshot meanwhile; run the same command again"
        ) from None
    files.fsync(layout.log)
    files.unlink(temporary)


def _entry_values(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "snapshot": snapshot.number,
        "run_id": snapshot.run_id,
        "published_at": snapshot.published_at,
        "rows": snapshot.rows,
        "note": snapshot.note,
        "identity": asdict(snapshot.identity) if snapshot.identity else None,
        "parts": [
            {"name": p.name, "rows": p.rows, "bytes": p.bytes, "sha256": p.sha256}
            for p in snapshot.parts
        ],
    }


def _placed(part: PartFile, folder: Path, number: int) -> PartFile:
    path = folder / name_in_snapshot(part.name, number)
    return PartFile(path, part.rows, part.bytes, part.sha256)
