"""Writes `flows/engine_schema.sql` anew, after the pinned version of Prefect has changed.

Usage: python -m tests.flows.engine_schema
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "flows" / "engine_schema.sql"
MIGRATE = """
import asyncio
from prefect.server.database import provide_database_interface
asyncio.run(provide_database_interface().create_db())
"""


def migrated(home: Path) -> sqlite3.Connection:
    """A database that all migrations of the installed version have run on."""
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    subprocess.run([sys.executable, "-c", MIGRATE], env=environment, check=True)
    return sqlite3.connect(home / "prefect.db")


def dumped(database: sqlite3.Connection) -> Iterator[str]:
    """The statements that make a database of the same schema and revision, and nothing else."""
    yield f"-- The schema that the migrations of this version end in: prefect {version('prefect')}"
    for statement in database.iterdump():
        if not statement.startswith("INSERT") or '"alembic_version"' in statement:
            yield statement


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        lines = dumped(migrated(Path(folder)))
        SCHEMA.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
