"""Results in an object store: who may write, what a snapshot becomes there, what leaves.

<output.dir>/<job>/
  log/00000042.json       put only if there is none: this is what publishes a snapshot
  data/                   parts, each put once, whatever snapshots name it; the log says which do
  runs/<run_id>/          manifest, metrics, report
  configs.parquet
  lease.json              who works here

A run works in a folder on its machine as in any other, and that folder's snapshot protocol goes on
there. What publishes is the entry in the store: its parts are there before it, and the folder's own
commit follows it. Of two runs that planned from the same snapshot one gets the next number, and the
other one publishes nothing. Whoever takes over from a holder that may be alive takes that number
with an entry that publishes nothing, a fence, before it looks at anything: from then on the former
holder cannot publish, however long it was held up and wherever.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results.layout import Layout, bare_name, number_of
from nocturna.tasks.results.lease import HeldLease, hold_lease
from nocturna.tasks.results.log_entries import (
    Snapshot,
    committed,
    find_snapshot,
    is_kept,
)
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.replica import (
    FENCE,
    LOG,
    fetch_snapshot,
    highest,
    pull,
    push,
    store_of,
)
from nocturna.tasks.results.store_index import PARTS, read_index, write_index
from nocturna.tasks.results.stored import as_record

_ORPHANED = timedelta(hours=24)
"""How long a part that no snapshot names stays: the run that put it may still go on."""

_log = logging.getLogger(__name__)


@dataclass
class _Session:
    """What a process that holds a place knows of it.

    Attributes:
        last: the highest number of the log.
        gone: names of records that retention took.
        dismissed: snapshots that retention took.
        leaving: the parts of those, by their bare names.
    """

    held: HeldLease
    last: int
    gone: list[str] = field(default_factory=list)
    dismissed: set[int] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)


_sessions: dict[Path, _Session] = {}


@contextmanager
def sharing(layout: Layout, run_id: str) -> Iterator[Callable[[str], None]]:
    """Holds a job's place in its store, and makes the folder here what is published there.

    Call it with the lock of that folder held; nothing is done for a job without a store. What the
    block leaves of records is put into the store at its end.

    Yields:
        a function that names another run as the holder.

    Raises:
        RunLocked: another run holds it.
        NocturnaError: the store refuses, or does not answer (`Transient`).
    """
    if layout.uri is None:
        yield lambda run_id: None
        return
    with hold_lease(store_of(layout), run_id, layout.lock) as held:
        if held.taken_over:
            _fence(store_of(layout), held.token)
        session = _Session(held, pull(layout))
        newest = committed(layout)[-1:]
        for snapshot in newest:
            fetch_snapshot(layout, snapshot)
        _sessions[layout.root] = session
        try:
            yield held.rename
        finally:
            del _sessions[layout.root]
            _leave(layout, session)


def next_number(layout: Layout) -> int:
    """The number of the snapshot that a run in a store publishes: the one after its log's last."""
    return _sessions[layout.root].last + 1


def token_of(layout: Layout) -> int | None:
    """The token of the lease that this process holds of a job's store; None without a store."""
    return _sessions[layout.root].held.token if layout.uri else None


def when_lost(layout: Layout, stop: Callable[[], None]) -> None:
    """Has a function called when the lease of a job's store turns out to be another's by now."""
    if layout.uri:
        _sessions[layout.root].held.when_lost = stop


def refuse_lost(layout: Layout) -> None:
    """Refuses to go on with a job whose lease is another's by now.

    Raises:
        NocturnaError: it is.
    """
    if layout.uri and _sessions[layout.root].held.lost:
        _sessions[layout.root].held.check()


def put_snapshot(layout: Layout, snapshot: Snapshot, folder: Path, entry: Path) -> None:
    """Publishes a snapshot in the store: its parts and records first, then its log entry.

    Args:
        folder: where its parts are, under the names that they have in it.
        entry: the file of its log entry.

    Raises:
        NocturnaError: the lease is another's, or another run published this number; then nothing
            is published.
    """
    session, store = _sessions[layout.root], store_of(layout)
    session.held.check()
    push(layout)
    _put_parts(layout, store, snapshot, folder)
    session.held.check()
    name, data = f"{LOG}{layout.entry(snapshot.number).name}", entry.read_bytes()
    if store.put_new(name, data) is None:
        found = store.get(name)  # perhaps this very entry, whose answer was lost
        if found is None or found[0] != data:
            raise NocturnaError(
                f"{layout.place}: another run took snapshot {snapshot.number} meanwhile; nothing "
                "was published, run the same command again"
            )
    session.last = snapshot.number


def dismiss(layout: Layout, kind: str, name: str) -> None:
    """Notes that retention takes something here, so that it leaves the store too.

    Args:
        kind: snapshot, run or log, as in `pruning.Surplus`; nothing else is in a store.
    """
    session = _sessions.get(layout.root)
    if session is None:
        return
    if kind == "snapshot":
        snapshot = find_snapshot(layout, int(name))
        session.dismissed.add(int(name))
        session.leaving |= {bare_name(part.name) for part in (snapshot.parts if snapshot else ())}
    elif kind in {"run", "log"}:
        session.gone.append(f"runs/{name}/" if kind == "run" else f"{LOG}{int(name):08d}.json")


def _fence(store: ObjectStore, token: int) -> None:
    while (
        store.put_new(f"{LOG}{highest(store.listed(LOG)) + 1:08d}.json", as_record({FENCE: token}))
        is None
    ):
        pass


def _put_parts(layout: Layout, store: ObjectStore, snapshot: Snapshot, folder: Path) -> None:
    index = read_index(layout)
    parts = dict(index.parts)
    for part in snapshot.parts:
        bare = bare_name(part.name)
        if parts.get(bare) != part.bytes:
            store.put_file(f"{PARTS}{bare}", folder / part.name)
            parts[bare] = part.bytes
            write_index(layout, replace(index, parts=parts))


def _leave(layout: Layout, session: _Session) -> None:
    """Puts into the store what is new of records, and takes away what retention took.

    What is published is published: where this fails, the next run makes up for it.
    """
    try:
        session.held.check()
        push(layout, session.gone)
        _drop_parts(layout, session)
    except (NocturnaError, OSError) as error:
        _log.warning("%s: the records of this run are not in the store: %s", layout.place, error)


def _drop_parts(layout: Layout, session: _Session) -> None:
    """Deletes the parts that no snapshot that is kept names."""
    store, index = store_of(layout), read_index(layout)
    entries = [name.removeprefix(LOG) for name in index.records if name.startswith(LOG)]
    if any(find_snapshot(layout, number_of(name) or 0) is None for name in entries):
        return  # an entry that cannot be read may name any of them
    every = committed(layout)
    live = {
        bare_name(part.name)
        for snapshot in every
        if snapshot == every[-1]
        or (snapshot.number not in session.dismissed and is_kept(layout, snapshot))
        for part in snapshot.parts
    }
    spare = [name for name in index.parts if name not in live]
    if not spare:
        return
    there, now = store.listed(PARTS), store.now()
    leaving = [
        name
        for name in spare
        if f"{PARTS}{name}" in there
        and (name in session.leaving or now - there[f"{PARTS}{name}"].written > _ORPHANED)
    ]
    store.delete(f"{PARTS}{name}" for name in leaving)
    left = {name: size for name, size in index.parts.items() if name not in leaving}
    write_index(layout, replace(index, parts=left))
