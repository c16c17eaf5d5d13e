"""A served job runs when it is due, and never beside itself."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from tasks.results.layout import layout_of
from tasks.results.lock import hold_lock
from tests.models import TEXTS


@pytest.fixture
def served(small_models, tmp_path):
    """`nocturna serve` in a process of its own; yields the URL of its engine and what it says."""
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS), encoding="utf-8")
    job = {
        "name": "prensa",
        "source": {"path": str(corpus)},
        "sentiment": {"model": str(small_models["sentiment"])},
        "output": {"dir": str(tmp_path / "out")},
    }
    (tmp_path / "prensa.yaml").write_text(json.dumps(job), encoding="utf-8")
    command = [Path(sys.executable).with_name("nocturna"), "serve", "prensa.yaml"]
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [*command, "--cron", "0 2 1 1 *", "--timezone", "Europe/Madrid"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        for line in process.stderr:
            lines.append(line)
            if "serving" in line:
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert ready.wait(180), "the engine did not start"
    url = re.search(r"engine at (\S+)", "".join(lines))
    assert url, "".join(lines)
    yield url.group(1), lines
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def trigger(url: str):
    """Runs the served job now; the first time, once the engine knows it."""
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: url}):
        for _ in range(120):
            try:
                return run_deployment("nightly/prensa", timeout=240, poll_interval=1).state
            except ObjectNotFound:
                time.sleep(0.5)
    raise AssertionError("the job was never served")


def test_a_served_job_runs_when_triggered_and_is_refused_while_one_is_going_on(served, tmp_path):
    url, lines = served
    layout = layout_of(tmp_path / "out", "prensa")
    for night in (1, 2):
        state = trigger(url)
        assert state.is_completed(), (state, lines)
        assert layout.results.readlink().name == f"{night:08d}"
        assert len(pd.read_parquet(layout.results)) == len(TEXTS)
    with hold_lock(layout, "20260101T020000-0badcafe"):
        state = trigger(url)
    assert state.is_cancelled()
    assert "20260101T020000-0badcafe holds this folder" in state.message
    assert any("prensa: not started" in line for line in lines), lines
    assert layout.results.readlink().name == "00000002"
