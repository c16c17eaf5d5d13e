"""The engine's process: closed to others, in words when it cannot be, and gone when we are."""

import base64
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest

from nocturna.engine import Engine, start_engine
from nocturna.engine_database import schema_version
from tests.flows.engine_schema import migrated
from tests.flows.leftovers import left, nothing_left


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    home = tmp_path_factory.mktemp("engine") / "home"
    engine = start_engine(home, home / "engine.log")
    assert engine.wait(120) is None
    yield engine, home
    engine.stop()
    assert nothing_left(home)


def status(url: str, auth: str | None = None) -> int:
    headers = {}
    if auth:
        headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as a:
            return a.status
    except urllib.error.HTTPError as error:
        return error.code


def test_its_api_asks_for_the_password(running):
    engine, _ = running
    assert status(f"{engine.url}/admin/version") == 401
    assert status(f"{engine.url}/admin/version", "nocturna:guess") == 401
    assert status(f"{engine.url}/admin/version", engine.auth) == 200
    assert engine.url.startswith("http://127.0.0.1:")


def test_its_password_is_not_in_the_process_list_and_its_files_are_the_owners(running):
    engine, home = running
    (pid,) = left(home)
    assert engine.auth.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert os.getsid(pid) == pid, "a signal of the terminal would reach it"
    files = [path for path in (home, *home.rglob("*")) if not path.is_symlink()]
    assert {"prefect.db", "engine.log"} <= {path.name for path in files}
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_signals_that_ask_to_stop_are_not_for_it(running):
    engine, home = running
    (pid,) = left(home)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    time.sleep(0.5)
    assert engine.alive() and status(f"{engine.url}/health") == 200


START = """
import sys, time
from pathlib import Path
from nocturna.engine import start_engine
engine = start_engine(Path(sys.argv[1]), Path(sys.argv[1]) / "engine.log")
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.5])
def test_kill_9_while_it_starts_leaves_nothing(tmp_path, seconds):
    home = tmp_path / "home"
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    command = [sys.executable, "-c", START, str(home)]
    ours = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert ours.stdout.readline() == b"started\n"
    time.sleep(seconds)
    assert len(left(home)) == 2
    ours.kill()
    ours.wait()
    assert nothing_left(home)


def reason(home: Path, **more) -> str:
    engine: Engine = start_engine(home, home.parent / "engine.log", **more)
    try:
        found = engine.wait(60)
        assert found is not None and len(found.splitlines()) == 1
        return found
    finally:
        engine.stop()


def made_database(home: Path) -> sqlite3.Connection:
    from nocturna import engine_database

    home.mkdir()
    engine_database._make(home / "prefect.db")
    return sqlite3.connect(home / "prefect.db", isolation_level=None)


@pytest.mark.slow
def test_why_there_is_none_is_said_in_words(tmp_path, running):
    (tmp_path / "file").write_text("not a folder")
    assert "file" in reason(tmp_path / "file" / "home")
    port = int(running[0].url.rpartition(":")[2].removesuffix("/api"))
    assert f"port {port}: Address already in use" in reason(tmp_path / "home", port=port)
    database = made_database(tmp_path / "locked")
    database.execute("BEGIN EXCLUSIVE")
    assert "prefect.db: database is locked" in reason(tmp_path / "locked")
    database.execute("COMMIT")
    database = made_database(tmp_path / "newer")
    database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    assert "another version of Prefect" in reason(tmp_path / "newer")


def test_an_engine_that_is_slow_is_not_waited_for(tmp_path):
    engine = start_engine(tmp_path / "home", tmp_path / "engine.log")
    start = time.monotonic()
    assert "not ready" in engine.wait(0.2)
    assert time.monotonic() - start < 2
    engine.stop()


def test_the_schema_is_of_the_version_that_is_pinned():
    assert schema_version() == version("prefect")


@pytest.mark.slow
def test_the_schema_is_what_the_migrations_end_in(tmp_path):
    found = [described(made_database(tmp_path / "kept")), described(migrated(tmp_path))]
    assert found[0] == found[1]


def described(database: sqlite3.Connection) -> list[tuple]:
    """Everything in a schema, whatever the order of the constraints, which differs by chance."""
    rows = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    rows += [("revision", "", *row) for row in database.execute("SELECT * FROM alembic_version")]
    return sorted((kind, name, *sorted(lines(sql))) for kind, name, sql in rows)


def lines(sql: str | None) -> list[str]:
    return [line.strip().rstrip(",") for line in (sql or "").splitlines()]
