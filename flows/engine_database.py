"""The database of an engine: a ready one is put in place, and troubles with it are put in words."""

import os
import sqlite3
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

_SCHEMA = Path(__file__).with_name("engine_schema.sql")
_BUSY_SECONDS = 10.0


def ready_database() -> str:
    """Makes sure that the engine's database is there, as far as that goes without Prefect.

    Migrating an empty one takes ten seconds of a processor, so a new one is made from the schema
    that its migrations end in, where that is of the installed version. A database that the user
    has named elsewhere is left to Prefect.

    Returns:
        where it is, for a message.

    Raises:
        RuntimeError: it cannot be written; one line.
    """
    names = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
    if any(name in os.environ for name in names):
        return "the engine's database"
    path = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
    try:
        if not path.exists() and schema_version() == version("prefect"):
            _make(path)
        _try(path)
    except (sqlite3.Error, OSError) as error:
        raise RuntimeError(f"{path}: {error}") from error
    return str(path)


def schema_version() -> str:
    """The version of Prefect that the kept schema is of."""
    with _SCHEMA.open(encoding="utf-8") as lines:
        return lines.readline().split()[-1]


def _make(path: Path) -> None:
    """Makes a new database in one step: nobody else finds a part of it, and none is replaced."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        connection = sqlite3.connect(unfinished)
        try:
            connection.executescript(_SCHEMA.read_text(encoding="utf-8"))
        finally:
            connection.close()
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)


def _try(path: Path) -> None:
    if not path.exists():
        return
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    finally:
        connection.close()
