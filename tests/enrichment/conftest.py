"""A fake Gemini for each test, and the stage set up to talk to it."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nocturna.tasks.enrichment.summary_records import DocumentText, Progress, Timing
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.job.job import Summaries
from tests.enrichment.fake_gemini import KEY, FakeGemini

Rows = list[dict[str, Any]]
Run = Callable[..., Rows]
"""See the fixture `run`."""

PATIENCE_S = 120
"""How long a test waits for what must come; only a hanging one gets there."""

QUICK = Timing(
    backoff=0.02,
    longest_backoff=0.1,
    patience=60,
    poll=0.05,
    longest_poll=0.1,
    create_patience=30,
    claim_poll=0.05,
)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGemini]:
    """A running fake that the real client talks to by itself."""
    with FakeGemini() as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        yield server
        assert server.violations == []


@pytest.fixture
def run(fake: FakeGemini, tmp_path: Path) -> Run:
    """Summarises texts with the given settings; returns the rows."""

    def summaries(
        texts: Sequence[str | None],
        *,
        run_id: str = "run-1",
        seen: list[Progress] | None = None,
        timing: Timing = QUICK,
        stop: Callable[[], bool] = lambda: False,
        key_provider: Callable[[], str | None] | None = None,
        **settings: Any,
    ) -> Rows:
        tables = summarise(
            documents(texts),
            make_settings(**settings),
            language="es",
            state_folder=tmp_path / "state",
            run_id=run_id,
            progress=None if seen is None else seen.append,
            stop=stop,
            total=len(texts),
            timing=timing,
            **({} if key_provider is None else {"key_provider": key_provider}),
        )
        return [row for table in tables for row in table.to_pylist()]

    return summaries


def make_settings(**values: Any) -> Summaries:
    """Settings without a pace, so that only the fake's quota slows a test."""
    usual = {
        "enabled": True,
        "max_usd": 10.0,
        "requests_per_minute": 1e6,
        "tokens_per_minute": 1e12,
    }
    return Summaries.model_validate(usual | values)


def documents(texts: Sequence[str | None]) -> list[DocumentText]:
    return [DocumentText(f"d{i}", text) for i, text in enumerate(texts)]


def opinions(count: int) -> list[str | None]:
    """Distinct short documents."""
    return [f"Opinión número {i}: el hotel era limpio, tranquilo y céntrico." for i in range(count)]


class Worker:
    """A process that summarises."""

    def __init__(
        self,
        folder: Path,
        run_id: str,
        count: int,
        stop_file: Path | None = None,
        texts: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        command = [sys.executable, "-m", "tests.enrichment.worker", str(folder), run_id]
        command += [json.dumps(texts or opinions(count)), json.dumps(settings)]
        command += [str(stop_file)] if stop_file else []
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def rows(self) -> Rows:
        """Waits for the end and returns the rows."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def kill(self) -> None:
        """Kills it as `kill -9` does."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until something is so; a test that waits in vain fails late, not early."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ledger(folder: Path, run_id: str = "run-1") -> dict[str, int]:
    """The calls of a run by state, and what the run has committed in nano-USD."""
    with contextlib.closing(sqlite3.connect(folder / "summaries.sqlite")) as db:
        query = "SELECT state, count(*) FROM calls WHERE run_id = ? GROUP BY state"
        found = dict(db.execute(query, (run_id,)).fetchall())
        query = "SELECT committed FROM runs WHERE run_id = ?"
        found["committed"] = db.execute(query, (run_id,)).fetchone()[0]
    return found


def answers(folder: Path) -> int:
    """Answers in the cache."""
    if not (folder / "summaries.sqlite").exists():
        return 0
    with contextlib.closing(sqlite3.connect(folder / "summaries.sqlite", timeout=60)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchone():
            return 0
        return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])
