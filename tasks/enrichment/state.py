"""The stage's memory on disk: one SQLite database that runs share, safe against kill -9."""

import contextlib
import fcntl
import logging
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from nocturna.tasks.errors import NocturnaError

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT, summary TEXT, language TEXT,
  model TEXT, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cost INTEGER NOT NULL,
  run_id TEXT NOT NULL, at TEXT NOT NULL DEFAULT (datetime('now'))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
  key TEXT PRIMARY KEY, owner TEXT, job TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  run_id TEXT PRIMARY KEY, committed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, key TEXT NOT NULL, mode TEXT NOT NULL,
  reserved INTEGER NOT NULL, cost INTEGER, state TEXT NOT NULL DEFAULT 'open',
  at TEXT NOT NULL DEFAULT (datetime('now'))
);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, run_id TEXT NOT NULL, price_in TEXT NOT NULL,
  price_out TEXT NOT NULL, state TEXT NOT NULL, uploads TEXT NOT NULL DEFAULT '', remote TEXT,
  deadline REAL NOT NULL, language TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job_calls (
  job TEXT NOT NULL, key TEXT NOT NULL, call INTEGER NOT NULL, PRIMARY KEY (job, key)
) WITHOUT ROWID;
"""

_log = logging.getLogger(__name__)


class State:
    """An open state folder. Use as a context manager; belongs to the thread that opened it.

    Attributes:
        owner: name of this process's claims; they are void once its lock file is free, which the
            system sees to however the process ends.

    Raises:
        NocturnaError: if the folder or the database cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owner = secrets.token_hex(8)
        self.path = folder / "summaries.sqlite"
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(0o700, exist_ok=True)
            (folder / "owners").mkdir(0o700, exist_ok=True)
            self._lock: IO[bytes] = self._lock_file(self.owner).open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                self.db = _open(self.path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _set_aside(self.path, error)
                self.db = _open(self.path)
        except (OSError, sqlite3.Error) as error:
            raise NocturnaError(
                f"{self.path}: cannot open the state of the summaries: {error}"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.db.execute("DELETE FROM claims WHERE owner = ?", (self.owner,))
        self.db.close()
        self._lock_file(self.owner).unlink(missing_ok=True)
        self._lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, alone among processes; inside another one it joins it."""
        if self.db.in_transaction:
            yield self.db
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def alive_elsewhere(self, owner: str) -> bool:
        """Whether an owner is another process (or run in this one) that still runs."""
        if owner == self.owner:
            return False
        try:
            with self._lock_file(owner).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        self._lock_file(owner).unlink(missing_ok=True)
        return False

    def _lock_file(self, owner: str) -> Path:
        return self.folder / "owners" / f"{owner}.lock"


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    """Moves a database that is none any more out of the way, so that a new one takes its place."""
    damaged = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(f"{path.name}{ending}").rename(f"{damaged}{ending}")
    _log.warning(
        "%s: cannot be read (%s); kept as %s, and answers in it are paid for again",
        path,
        error,
        damaged.name,
    )
