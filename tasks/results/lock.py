"""One writer at a time, by a lock that the system frees when its holder dies."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from tasks.errors import RunLocked
from tasks.results import files
from tasks.results.layout import Layout


@dataclass(frozen=True)
class Holder:
    """Who holds an output folder: process id, host, run id and start time (ISO 8601, UTC)."""

    pid: int
    host: str
    run_id: str
    since: str


@contextmanager
def hold_lock(layout: Layout, run_id: str) -> Iterator[Callable[[str], None]]:
    """Holds the output folder for one run.

    Yields a function that names another run as the holder: the one that is gone on with.

    Raises:
        RunLocked: if another run holds it; the message says which one and since when.
        NocturnaError: if the folder cannot be written.
    """
    with files.clear_errors(layout.root):
        files.make_folder(layout.root)
        handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(handle):
            raise RunLocked(f"{layout.root}: {_held_by(_read(handle))}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder = Holder(os.getpid(), socket.gethostname(), run_id, now)
        with files.clear_errors(layout.root):
            _write(handle, holder)
        try:
            yield lambda other: _write(handle, replace(holder, run_id=other))
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder_of(layout: Layout) -> Holder | None:
    """Who writes to the output folder right now; None if nobody does."""
    try:
        handle = os.open(layout.lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle) or Holder(0, "unknown", "unknown", "unknown")
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
    os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)


def _read(handle: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(handle, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _held_by(holder: Holder | None) -> str:
    if holder is None:
        return "another run holds this folder; wait for it to end"
    return (
        f"run {holder.run_id} holds this folder since {holder.since} "
        f"(process {holder.pid} on {holder.host}); wait for it to end"
    )
