"""The log: an entry a snapshot, which says what it holds and which run published it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nocturna.tasks.results import files
from nocturna.tasks.results.identity import Identity, identity_from
from nocturna.tasks.results.layout import Layout, bare_name, number_of
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.store_index import PARTS, parts_in_store
from nocturna.tasks.results.stored import Stored, as_record, read_record


@dataclass(frozen=True)
class Snapshot:
    """A committed snapshot.

    Attributes:
        number: its number; they only grow.
        run_id: the run that published it.
        published_at: when, ISO 8601 in UTC.
        parts: its files, in the order they were given.
        note: why it was published in spite of a quality gate, if it was.
        back_to: number of the earlier snapshot that it shows again, if it was a rollback; 0 where
            nothing is published since.
        identity: what it was made from; None where its entry does not say.
        token: of the lease under which it was published, in an object store.
    """

    number: int
    run_id: str
    published_at: str
    parts: tuple[PartFile, ...]
    note: str | None = None
    back_to: int | None = None
    identity: Identity | None = None
    token: int | None = None

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def current_snapshot(layout: Layout) -> Snapshot | None:
    """The newest snapshot that is there, for readers that want one view while others are published.

    Its parts stay where they are for at least 24 hours after a later snapshot replaced them. It
    has no parts where everything was rolled back.
    """
    for number in reversed(logged_numbers(layout)):
        snapshot = find_snapshot(layout, number)
        if snapshot is not None and is_kept(layout, snapshot):
            return snapshot
    return None


def is_kept(layout: Layout, snapshot: Snapshot) -> bool:
    """Whether the parts of a snapshot are there, or in the store; one of no parts needs none."""
    here = not snapshot.parts or files.is_folder(layout.snapshot(snapshot.number))
    return here or is_stored(layout, snapshot)


def is_stored(layout: Layout, snapshot: Snapshot) -> bool:
    """Whether the parts of a snapshot are all in the job's store, if it has one."""
    if layout.uri is None:
        return False
    stored = parts_in_store(layout)
    return all(stored.get(bare_name(part.name)) == part.bytes for part in snapshot.parts)


def committed_snapshot(layout: Layout, run_id: str) -> Snapshot | None:
    """The snapshot that a run published, or None if it has not."""
    found = [s for s in committed(layout) if s.run_id == run_id and s.back_to is None]
    return found[-1] if found else None


def committed(layout: Layout) -> list[Snapshot]:
    """Every snapshot of which the log can be read, oldest first."""
    found = (find_snapshot(layout, number) for number in logged_numbers(layout))
    return [snapshot for snapshot in found if snapshot is not None]


def line_of(layout: Layout) -> list[Snapshot]:
    """The current snapshot and those before it, newest first, without what was rolled back."""
    line: list[Snapshot] = []
    below: int | None = None
    for snapshot in reversed(committed(layout)):
        if below is not None and snapshot.number > below:
            continue
        line.append(snapshot)
        below = snapshot.number - 1 if snapshot.back_to is None else snapshot.back_to
    return line


def logged_numbers(layout: Layout) -> list[int]:
    """The numbers of every snapshot that the log has an entry of, growing."""
    names = (p.name for p in files.listed(layout.log) if p.suffix == ".json" and files.is_file(p))
    return sorted(number for name in names if (number := number_of(name)) is not None)


def last_number(layout: Layout) -> int:
    """The highest number that was ever used, 0 if there is none: no name is used twice."""
    names = [p.name for p in (*files.listed(layout.log), *files.listed(layout.snapshots))]
    if layout.results.is_symlink():
        names.append(layout.results.readlink().name)
    return max((number_of(name) or 0 for name in names), default=0)


def stored_entry(layout: Layout, number: int) -> Stored[Snapshot] | None:
    """What can be read of the log entry of a snapshot; None if there is none."""
    return _stored(layout, number, layout.entry(number))


def waiting_entry(layout: Layout, number: int) -> Snapshot | None:
    """The entry that a run wrote before its snapshot got its name; None if that is not there."""
    found = _stored(layout, number, files.temporary_of(layout.entry(number)))
    if found is None or found.value is None:
        return None
    names = [part.name for part in found.value.parts]
    there = [path.name for path in files.listed(layout.snapshot(number))]
    return found.value if sorted(names) == there else None


def find_snapshot(layout: Layout, number: int) -> Snapshot | None:
    """A snapshot as its log entry describes it; None if that cannot be read."""
    found = stored_entry(layout, number)
    return found.value if found else None


def prepare_entry(layout: Layout, snapshot: Snapshot) -> Path:
    """Writes the log entry of a snapshot under the temporary name that it has until it counts."""
    files.make_folder(layout.log)
    waiting = files.temporary_of(layout.entry(snapshot.number))
    files.write_durable(waiting, as_record(_entry_values(snapshot)))
    files.fsync(layout.log)
    return waiting


def _stored(layout: Layout, number: int, path: Path) -> Stored[Snapshot] | None:
    found = read_record(path, _Entry)
    if found is None or found.value is None:
        return found  # type: ignore[return-value]
    entry, folder = found.value, layout.snapshot(number)
    if any(Path(part.name).name != part.name for part in entry.parts):
        return Stored(problem="names a part in another folder", newer=found.newer)
    parts = tuple(PartFile(folder / p.name, p.rows, p.bytes, p.sha256) for p in entry.parts)
    identity = identity_from(entry.identity)
    snapshot = Snapshot(
        number,
        entry.run_id,
        entry.published_at,
        parts,
        entry.note,
        entry.back_to,
        identity,
        entry.token,
    )
    return Stored(snapshot, found.problem, found.newer)


@dataclass(frozen=True)
class _EntryPart:
    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Entry:
    """A log entry as its file has it; without these parts it says nothing."""

    run_id: str
    published_at: str
    parts: tuple[_EntryPart, ...]
    note: str | None = None
    back_to: int | None = None
    identity: Any = None
    token: int | None = None


def _entry_values(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "snapshot": snapshot.number,
        "run_id": snapshot.run_id,
        "published_at": snapshot.published_at,
        "rows": snapshot.rows,
        "note": snapshot.note,
        "back_to": snapshot.back_to,
        "identity": asdict(snapshot.identity) if snapshot.identity else None,
        **({"token": snapshot.token} if snapshot.token else {}),
        "parts": [
            {
                "name": p.name,
                "rows": p.rows,
                "bytes": p.bytes,
                "sha256": p.sha256,
                **({"path": f"{PARTS}{bare_name(p.name)}"} if snapshot.token else {}),
            }
            for p in snapshot.parts
        ],
    }
