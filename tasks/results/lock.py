"""One writer at a time, by a lock that the system frees when its holder dies.

Where results are in an object store, the lock is of the folder on this machine, and its holder
holds the store's lease too.
"""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from nocturna.tasks.errors import RunLocked
from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import Bad, set_aside
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.shared import sharing
from nocturna.tasks.results.stored import as_record, made_of, parsed


@dataclass(frozen=True)
class Holder:
    """Who holds an output folder: process id, host, run id and start time (ISO 8601, UTC)."""

    pid: int = 0
    host: str = "unknown"
    run_id: str = "unknown"
    since: str = "unknown"


@contextmanager
def hold_lock(layout: Layout, run_id: str) -> Iterator[Callable[[str], None]]:
    """Holds the output folder for one run.

    Yields a function that names another run as the holder: the one that is gone on with.

    Raises:
        RunLocked: if another run holds it; the message says which one and since when.
        NocturnaError: if the folder cannot be written, or the store does not answer.
    """
    with files.clear_errors(layout.root):
        files.make_folder(layout.root)
        if files.is_there(layout.lock) and not files.is_file(layout.lock):
            set_aside(layout, "locks", [Bad(layout.lock, "is not a file that can be locked")])
        handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        if not _taken(handle):
            raise RunLocked(f"{layout.place}: {_held_by(_read(handle))}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder = Holder(os.getpid(), socket.gethostname(), run_id, now)
        with files.clear_errors(layout.root):
            _write(handle, holder)

        def hold_as(other: str) -> None:
            _write(handle, replace(holder, run_id=other))
            lease_as(other)

        try:
            with sharing(layout, run_id) as lease_as:
                yield hold_as
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder_of(layout: Layout) -> Holder | None:
    """Who writes to the output folder right now; None if nobody does."""
    try:
        handle = os.open(layout.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def _taken(handle: int) -> bool:
    """Takes the lock; a few tries, because `holder_of` holds it for an instant."""
    for _ in range(10):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.02)
    return False


def _write(handle: int, holder: Holder) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, as_record(asdict(holder)), 0)


def _read(handle: int) -> Holder:
    found = parsed(os.pread(handle, 4096, 0))
    return made_of(Holder, found).value or Holder()


def _held_by(holder: Holder) -> str:
    if holder == Holder():
        return "another run holds this folder; wait for it to end"
    return (
        f"run {holder.run_id} holds this folder since {holder.since} "
        f"(process {holder.pid} on {holder.host}); wait for it to end"
    )
