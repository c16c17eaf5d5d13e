"""One writer at a time in an object store: a lease with a fencing token.

The lease is an object that is only ever written over the version that was read. Its holder writes
it again every few seconds; one that was not for `seconds` is anybody's, by the store's own clock.
Each holder has a higher token than the one before. The lease keeps machines from doing the same
work twice; what keeps them from publishing over each other is the log (see `shared.py`).
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nocturna.tasks.errors import NocturnaError, RunLocked
from nocturna.tasks.results.object_store import ObjectStore, Version
from nocturna.tasks.results.stored import as_record, made_of, parsed

NAME = "lease.json"
VARIABLE = "NOCTURNA_LEASE_SECONDS"
_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lease:
    """What the object says.

    Attributes:
        token: grows with every holder.
        beat: grows with every write of a holder.
        seconds: how long it holds after a write.
        folder: names the holder's folder on its machine, until that is started anew: who holds the
            lock of that folder knows that the holder of before is dead.
        released: whether its holder let it go.
    """

    token: int = 0
    beat: int = 0
    run_id: str = "unknown"
    host: str = "unknown"
    pid: int = 0
    since: str = "unknown"
    seconds: float = _SECONDS
    folder: str = ""
    released: bool = False


class HeldLease:
    """A lease that this process holds, or held.

    Attributes:
        taken_over: whether the holder before did not let it go and may still be alive.
        lost: whether it is another's by now.
        when_lost: called once, in another thread, when that shows.
    """

    def __init__(self, store: ObjectStore, lease: Lease, version: Version, over: bool) -> None:
        self.taken_over = over
        self._store, self._lease, self._version = store, lease, version
        self._lock = threading.Lock()
        self.lost = False
        self.when_lost: Callable[[], None] = lambda: None

    @property
    def token(self) -> int:
        return self._lease.token

    def rename(self, run_id: str) -> None:
        """Names another run as the holder, from the next write on."""
        with self._lock:
            self._lease = replace(self._lease, run_id=run_id)

    def check(self) -> None:
        """Writes the lease anew.

        Raises:
            NocturnaError: it is another's by now: nothing may be published.
            Transient: the store does not answer.
        """
        if not self._write(self._lease):
            raise NocturnaError(
                f"{self._store.uri}: this run was held up for longer than its lease of "
                f"{self._lease.seconds:g} s, and another one works there since; nothing was "
                "published, run the same command again"
            )

    def release(self) -> None:
        """Lets it go, if it is still held."""
        self._write(replace(self._lease, released=True))

    def _write(self, lease: Lease) -> bool:
        with self._lock:
            if self.lost:
                return False
            self._lease = replace(lease, run_id=self._lease.run_id, beat=self._lease.beat + 1)
            data = as_record(asdict(self._lease))
            written = self._store.put_over(NAME, data, self._version)
            if written is None:  # perhaps this very write, whose answer was lost
                found = self._store.get(NAME)
                written = found[1] if found and found[0] == data else None
            self.lost = written is None
            self._version = written or self._version
            return not self.lost


@contextmanager
def hold_lease(store: ObjectStore, run_id: str, lock: Path) -> Iterator[HeldLease]:
    """Holds the lease of a place, and writes it again and again until the block ends.

    Args:
        lock: the lock file of the folder on this machine, which this process holds.

    Raises:
        RunLocked: another run holds it; the message says which one, where and since when.
        NocturnaError: the store refuses.
    """
    held = _taken(store, run_id, lock)
    ended = threading.Event()
    every = held._lease.seconds / 4
    thread = threading.Thread(target=_keep, args=[held, ended, every], name=NAME, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        ended.set()
        thread.join()
        try:
            held.release()
        except NocturnaError as error:
            _log.warning("%s: the lease is not let go: %s", store.uri, error)


def _keep(held: HeldLease, ended: threading.Event, every: float) -> None:
    while not ended.wait(every):
        try:
            held.check()
        except NocturnaError as error:
            if held.lost:
                held.when_lost()
                return
            _log.info("the lease could not be renewed: %s", error)


def _taken(store: ObjectStore, run_id: str, lock: Path) -> HeldLease:
    mine = Lease(
        run_id=run_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=float(os.environ.get(VARIABLE) or _SECONDS),
        folder=_name_of(lock),
    )
    found = store.get(NAME)
    if found is None:
        mine = replace(mine, token=1)
        version, over = store.put_new(NAME, as_record(asdict(mine))), False
    else:
        there = made_of(Lease, parsed(found[0])).value or Lease()
        free = there.released or (bool(mine.folder) and there.folder == mine.folder)
        if not free and not _is_over(store, there, found[2]):
            raise RunLocked(f"{store.uri}: {_held_by(there)}")
        mine, over = replace(mine, token=there.token + 1), not free
        version = store.put_over(NAME, as_record(asdict(mine)), found[1])
    if version is None:
        raise RunLocked(f"{store.uri}: another run took this place just now; wait for it to end")
    return HeldLease(store, mine, version, over)


def _is_over(store: ObjectStore, lease: Lease, written: datetime) -> bool:
    """Whether a lease was not written for longer than it holds; stores tell whole seconds."""
    return store.now() - written > timedelta(seconds=lease.seconds + 1)


def _held_by(lease: Lease) -> str:
    return (
        f"run {lease.run_id} holds this place since {lease.since} (process {lease.pid} on "
        f"{lease.host}); wait for it to end, or for {lease.seconds:g} s after it died"
    )


def _name_of(lock: Path) -> str:
    """Names a file on this machine, and no other while this system runs."""
    found = lock.stat()
    boot = Path("/proc/sys/kernel/random/boot_id")
    started = boot.read_text().strip() if boot.exists() else ""
    return f"{started}:{found.st_dev}:{found.st_ino}" if started else ""
