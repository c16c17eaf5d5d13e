"""What a job's store holds, on this machine: fetched before a run or a reader looks at it.

Records (log entries, manifests and what else belongs to a run, `configs.parquet`) have the same
names here and there. Of the parts only those of the snapshot that is asked for are fetched, and
none that is here already.
"""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout, bare_name, layout_of, number_of, out_and_job
from nocturna.tasks.results.log_entries import Snapshot
from nocturna.tasks.results.object_store import Listed, ObjectStore
from nocturna.tasks.results.parts import is_sound, is_whole
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.store_index import (
    PARTS,
    Index,
    Seen,
    is_changed,
    read_index,
    seen,
    write_index,
)
from nocturna.tasks.results.stored import parsed

LOG = "log/"
FENCE = "fence"
"""Key of a log entry that publishes nothing: it only takes a number (see `shared.py`)."""

READING = ".reading"
"""Where readers keep what they fetched, so that a run never finds it changed under its hands."""

_RECORD = re.compile(
    r"log/[0-9]{8}\.json|configs\.parquet|runs/[0-9]{8}T[0-9]{6}-[0-9a-f]{8}/[A-Za-z0-9][\w.-]*"
)
_AT_ONCE = 8


def store_of(layout: Layout) -> ObjectStore:
    """The store of a job that has one."""
    assert layout.uri is not None
    return ObjectStore(layout.uri)


def pull(layout: Layout) -> int:
    """Makes the records here those of the store; call it with the folder's lock held.

    Log entries that the store lacks go, with their snapshots: what is published is what its log
    says. A record of a run that was changed here stays as it is.

    Returns:
        the highest number that its log has ever used.
    """
    store, index = store_of(layout), read_index(layout)
    with files.clear_errors(layout.root):
        log = store.listed(LOG)  # before the parts, so that those of every entry are listed
        rest = {n: found for n, found in store.listed().items() if not n.startswith(LOG)}
        there = {n: found for n, found in {**rest, **log}.items() if _RECORD.fullmatch(n)}
        _forget(layout, index, there)
        records = _fetch_records(layout, store, index, there)
        parts = {n.removeprefix(PARTS): o.size for n, o in rest.items() if n.startswith(PARTS)}
        write_index(layout, Index(records, parts))
    return highest(log)


def highest(log: Iterable[str]) -> int:
    """The highest number of entries of a log, by their names in the store; 0 if there are none."""
    return max((number_of(name.removeprefix(LOG)) or 0 for name in log), default=0)


def fetch_snapshot(layout: Layout, snapshot: Snapshot) -> list[PartFile]:
    """Puts the parts of a snapshot where they belong; call it with the folder's lock held.

    Returns:
        those that the store has lost.
    """
    folder = layout.snapshot(snapshot.number)
    if not snapshot.parts or (files.is_folder(folder) and all(map(is_sound, snapshot.parts))):
        return []
    store, here = store_of(layout), _parts_here(layout)
    with files.clear_errors(layout.root):
        building = folder.with_suffix(".tmp")
        files.make_folder(layout.snapshots, private=True)
        files.remove_folder(building)
        files.make_folder(building, private=True)

        def put(part: PartFile) -> bool:
            bare, target = bare_name(part.name), building / part.name
            if bare in here and is_whole(replace(part, path=here[bare])):
                files.link_or_copy(here[bare], target)
                return True
            files.new_file(target, private=True)
            arrived = store.get_file(f"{PARTS}{bare}", part.bytes, target)
            if arrived and is_whole(replace(part, path=target)):
                files.fsync(target)
                return True
            files.unlink(target)
            return False

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(put, snapshot.parts))
        files.fsync(building)
        files.remove_folder(folder)
        files.rename(building, folder)
        files.fsync(layout.snapshots)
    return [part for part, whole in zip(snapshot.parts, found, strict=True) if not whole]


def push(layout: Layout, gone: Iterable[str] = ()) -> None:
    """Puts the records that changed here into the store; call it with the lease held.

    Args:
        gone: names of records, or of folders of records, that are to be deleted there.
    """
    store, index = store_of(layout), read_index(layout)
    records = dict(index.records)
    leaving = [name for name in records if any(name == g or name.startswith(g) for g in gone)]
    store.delete(leaving)
    for name in leaving:
        del records[name]
    for path in _records_here(layout):
        name = path.relative_to(layout.root).as_posix()
        if is_changed(path, records.get(name)):
            before = path.stat()
            etag = store.put(name, path.read_bytes())
            records[name] = Seen(etag, before.st_size, before.st_mtime_ns)
    if records != index.records:
        write_index(layout, replace(index, records=records))


def reading_layout(uri: str) -> Layout:
    """The folder on this machine for readers of a job's store."""
    writing = layout_of(*out_and_job(uri))
    return replace(writing, root=writing.root.parent / READING / writing.job_name)


def _fetch_records(
    layout: Layout, store: ObjectStore, index: Index, there: Mapping[str, Listed]
) -> dict[str, Seen]:
    def fetch(name: str) -> tuple[str, Seen | None]:
        path, was = layout.root / name, index.records.get(name)
        changed = files.is_file(path) and is_changed(path, was)
        same = was is not None and was.etag == there[name].etag and files.is_file(path)
        if same and not changed:
            return name, was
        if changed and name.startswith("runs/") and was is not None:
            return name, was  # of a run that this machine has gone on with
        found = store.get(name)
        if found is None or _is_fence(name, found[0]):
            return name, None
        if files.is_there(path) and not files.is_file(path):
            return name, None
        files.write_whole(path, found[0])
        return name, seen(path, there[name].etag)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {name: kept for name, kept in pool.map(fetch, sorted(there)) if kept is not None}


def _forget(layout: Layout, index: Index, there: Mapping[str, Listed]) -> None:
    """Removes what the store has no more: entries, their snapshots, records that it once had."""
    for path in files.listed(layout.log):
        if path.suffix == ".json" and f"{LOG}{path.name}" not in there and files.is_file(path):
            files.unlink(path)
    for folder in files.listed(layout.snapshots):
        number = number_of(folder.name)
        if number and f"{LOG}{number:08d}.json" not in there:
            files.remove_folder(folder)
    for name in index.records:
        path = layout.root / name
        if name not in there and files.is_file(path):
            files.unlink(path)
            if name.startswith("runs/"):
                files.remove_empty(path.parent)


def _is_fence(name: str, data: bytes) -> bool:
    return name.startswith(LOG) and FENCE in (parsed(data).value or {})


def _records_here(layout: Layout) -> list[Path]:
    """What belongs into the store; the plan of a run is for the machine that made it."""
    found = [path for run in files.listed(layout.runs) for path in files.listed(run)]
    found = [path for path in found if path != layout.plan(path.parent.name)]
    names = {path: path.relative_to(layout.root).as_posix() for path in [layout.configs, *found]}
    return [path for path, name in names.items() if files.is_file(path) and _RECORD.fullmatch(name)]


def _parts_here(layout: Layout) -> dict[str, Path]:
    """Parts that are on this machine, by their bare name: of runs and readers alike."""
    reading = layout.root.parent.name == READING
    home = layout.root.parent.parent if reading else layout.root.parent
    return {
        bare_name(path.name): path
        for root in (home / layout.job_name, home / READING / layout.job_name)
        for folder in (root / "snapshots", root / "work")
        for path in folder.glob("*/part-*.parquet")
    }
