"""The engine only observes: whatever becomes of it, a run scores and publishes."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from nocturna import observer
from nocturna.engine import Engine, start_engine
from nocturna.tasks import score
from tests.conftest import SLOWED
from tests.models import TEXTS

SPACE = ("--map-root-user", "--mount")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A user without a standing engine, whose own engine lives in a new folder."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return tmp_path / "prefect"


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    """The folder of an engine that has run."""
    folder = tmp_path_factory.mktemp("prefect")
    started = start_engine(folder, folder / "log")
    assert started.wait(120) is None
    started.stop()
    return folder


@pytest.fixture
def started(monkeypatch) -> list[Engine]:
    """The engines that runs start, as they start them."""
    found: list[Engine] = []

    def start(*args, **kwargs) -> Engine:
        found.append(start_engine(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(observer, "start_engine", start)
    return found


def _pid(engine: Engine) -> int:
    assert engine._process is not None
    return engine._process.pid


def _copy(database: Path, home: Path) -> Path:
    home.mkdir()
    source, target = (sqlite3.connect(folder / "prefect.db") for folder in (database, home))
    with closing(source), closing(target):
        source.backup(target)
    return home / "prefect.db"


@pytest.fixture
def trouble(request, home, database, started, monkeypatch) -> Iterator[str]:
    """One way in which an engine can fail; what the line must say of it."""
    for longer in ("PREFECT_API_REQUEST_TIMEOUT", "PREFECT_CLIENT_MAX_RETRIES"):
        monkeypatch.delenv(longer, raising=False)
    with _trouble(request.param, home, database, started, monkeypatch) as said:
        yield said


class _trouble:
    def __init__(self, kind, home, database, started, monkeypatch) -> None:
        self.kind, self.home, self.database = kind, home, database
        self.started, self.monkeypatch = started, monkeypatch
        self.undo: list[Callable[[], object]] = []

    def __enter__(self) -> str:
        said = getattr(self, self.kind.replace(" ", "_"))()
        return str(said)

    def __exit__(self, *error: object) -> None:
        for undo in self.undo:
            undo()

    def cannot_start(self) -> str:
        self.home.write_text("a file where its folder should be")
        return "prefect"

    def home_cannot_be_written(self) -> str:
        self.monkeypatch.delenv("PREFECT_HOME")
        self.monkeypatch.setenv("HOME", "/dev/null")
        return "/dev/null"

    def slow(self) -> str:
        self.monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "2")
        start = observer.start_engine

        def stopped(*args, **kwargs) -> Engine:
            engine = start(*args, **kwargs)
            os.kill(_pid(engine), signal.SIGSTOP)
            return engine

        self.monkeypatch.setattr(observer, "start_engine", stopped)
        return "not ready after"

    def other_version(self) -> str:
        path = _copy(self.database, self.home)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        return "another version"

    def locked(self) -> str:
        connection = sqlite3.connect(_copy(self.database, self.home), isolation_level=None)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        self.undo.append(connection.close)
        return "locked|not ready"

    def nobody_listens(self) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
        return "no engine answers"

    def a_black_hole(self) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        self.undo.append(listener.close)
        self.monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        return "no engine answers"

    def dies_in_the_middle(self) -> str:
        self._once_scoring(signal.SIGKILL)
        return "engine|API"

    def falls_silent_in_the_middle(self) -> str:
        self._once_scoring(signal.SIGSTOP)
        return "engine|API"

    def _once_scoring(self, number: int) -> None:
        """Sends the engine a signal when the first shard is done."""
        real, sent = score.save_shard, threading.Event()

        def save(*given: object) -> None:
            real(*given)
            if not sent.is_set():
                sent.set()
                os.kill(_pid(self.started[0]), number)

        self.monkeypatch.setattr(score, "save_shard", save)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param("cannot start", marks=pytest.mark.slow),
        pytest.param("home cannot be written", marks=pytest.mark.slow),
        "slow",
        pytest.param("other version", marks=pytest.mark.slow),
        pytest.param("locked", marks=pytest.mark.slow),
        pytest.param("nobody listens", marks=pytest.mark.slow),
        pytest.param("a black hole", marks=pytest.mark.slow),
        pytest.param("dies in the middle", marks=pytest.mark.slow),
        pytest.param("falls silent in the middle", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_a_night_does_without_its_engine(nocturna, models, trouble, tmp_path, monkeypatch):
    texts = [f"{text} Texto {i}." for i in range(8) for text in TEXTS]
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    arguments = ("score", corpus, *models, "--shard-size", 5, "--workers", 1, "--json")
    begun = time.monotonic()
    done = nocturna(*arguments)
    took = time.monotonic() - begun
    assert done.code == 0, done.err
    assert len(pd.read_parquet(tmp_path / "out/prensa/results")) == len(texts)
    lines = [line for line in done.err.splitlines() if "unrecorded" in line]
    assert len(lines) == 1, done.err
    assert re.search(trouble, lines[0])
    assert "Traceback" not in done.err
    run = done.json["run_id"]
    manifest = json.loads((tmp_path / f"out/prensa/runs/{run}/manifest.json").read_text())
    assert manifest["unrecorded"] in lines[0]
    assert manifest["status"] == "published"
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    begun = time.monotonic()
    assert nocturna(*arguments, "--name", "alone").code == 0
    alone = time.monotonic() - begun
    assert took < SLOWED * (3 * alone + observer.MOST_SECONDS)


@pytest.mark.parametrize(
    ("room", "said"),
    [("64k", "prefect.db: database or disk is full"), ("2M", "500 Internal Server Error")],
    ids=["before it starts", "in the middle"],
)
@pytest.mark.slow
def test_a_full_disk_under_the_engine_costs_no_night(tmp_path, home, small_models, room, said):
    if subprocess.run(["unshare", *SPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no mount namespaces")
    home.mkdir()
    (tmp_path / "prensa.txt").write_text("\n".join(TEXTS), "utf-8")
    mount = f"mount -t tmpfs -o size={room} tmpfs prefect"
    score = "score prensa.txt --shard-size 2 --workers 1 --json --sentiment-model"
    command = f'{mount} && exec "$1" -c "from nocturna.command import main; main()" {score} "$2"'
    done = subprocess.run(
        ["unshare", *SPACE, "sh", "-c", command, "sh", sys.executable, small_models["sentiment"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "out/prensa/results")) == len(TEXTS)
    lines = [line for line in done.stderr.splitlines() if "unrecorded" in line]
    assert len(lines) == 1, done.stderr
    assert said in lines[0]


def test_an_engine_that_is_well_hears_all_of_it(nocturna, models, home, tmp_path):
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), "utf-8")
    done = nocturna("score", corpus, *models, "--json")
    assert done.code == 0, done.err
    run = done.json["run_id"]
    manifest = json.loads((tmp_path / f"out/prensa/runs/{run}/manifest.json").read_text())
    assert manifest["unrecorded"] is None
    other = nocturna("score", corpus, *models, "--name", "otra", "--max-failed", 0, "--full")
    assert other.code == 0 and "unrecorded" not in other.err, other.err
    refused = tmp_path / "vacio.jsonl"
    refused.write_text('{"text": ""}\n{"text": "Un texto."}\n', "utf-8")
    failed = nocturna("score", refused, *models, "--max-failed", 0.1)
    assert failed.code == 3 and "unrecorded" not in failed.err, failed.err
    with closing(sqlite3.connect(home / "prefect.db")) as recorded:
        runs = recorded.execute(
            "SELECT r.name, s.type, s.message FROM flow_run r JOIN flow_run_state s ON s.id = "
            "r.state_id ORDER BY r.created"
        ).fetchall()
        steps = recorded.execute(
            "SELECT r.name, t.name, t.state_name FROM task_run t JOIN flow_run r ON r.id = "
            "t.flow_run_id"
        ).fetchall()
        said = [line for (line,) in recorded.execute("SELECT message FROM log").fetchall()]
    assert [(name.split()[0], state) for name, state, _ in runs] == [
        ("prensa", "COMPLETED"),
        ("otra", "COMPLETED"),
        ("vacio", "FAILED"),
    ]
    line = failed.err.strip().splitlines()[-1].removeprefix("nocturna: ")
    assert runs[-1][2] == line
    ended = {(run.split()[0], step.split("-")[0]): state for run, step, state in steps}
    for name, last in (("prensa", "Completed"), ("otra", "Completed"), ("vacio", "Failed")):
        own = {step: state for (run, step), state in ended.items() if run == name}
        assert own == {
            "stage": "Completed",
            "plan": "Completed",
            "shard": "Completed",
            "publish": last,
        }
    assert any("documents to score" in line for line in said)
    assert line in said, "the page shows what the terminal showed"
    assert not list(home.rglob("*.sock"))
