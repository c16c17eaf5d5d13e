"""Signals as terminals, service managers and the system send them, whenever they come."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.leftovers import left, nothing_left
from tests.flows.pseudo_terminal import CTRL_C, Terminal, in_terminal
from tests.models import TEXTS

DOCUMENTS = 1500
COMMAND = Path(sys.executable).with_name("nocturna")
GO_ON = "stopped on request; run the same command again to go on"


@pytest.fixture
def arguments(small_models, tmp_path) -> list[str]:
    rows = [{"id": str(i), "text": f"{i} {TEXTS[i % len(TEXTS)]}"} for i in range(DOCUMENTS)]
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sentiment = str(small_models["sentiment"])
    options = ["--id", "id", "--shard-size", "250", "--sentiment-model", sentiment, "--json"]
    return [str(COMMAND), "score", "prensa.jsonl", *options]


def environment(folder: Path) -> dict[str, str]:
    """That of a user who has an engine home of their own and no standing engine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_API", "PREFECT_UI"))}
    return {**kept, "PREFECT_HOME": str(folder / "home")}


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Starts the command; what it says goes to files, which nothing it leaves behind can block."""
    with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("wb") as err:
        return subprocess.Popen(
            arguments, cwd=folder, env=environment(folder), stdout=out, stderr=err
        )


def finished_shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("out/prensa/work/*/shard-*.json"))


def goes_on(arguments: list[str], folder: Path) -> str:
    """Runs the same command again, to its end; what it said."""
    again = start(arguments, folder)
    again.wait(300)
    said = (folder / "err.txt").read_text(encoding="utf-8")
    assert again.returncode == 0, said
    frame = pd.read_parquet(folder / "out" / "prensa" / "results")
    assert sorted(frame.doc_id.astype(int)) == list(range(DOCUMENTS))
    return said


@pytest.mark.parametrize(
    ("number", "processes"),
    [
        (signal.SIGTERM, 1),
        pytest.param(signal.SIGKILL, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 2, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_ended_goes_on_where_it_was(arguments, tmp_path, number, processes):
    arguments = [*arguments, "--processes", str(processes)]
    process = start(arguments, tmp_path)
    while not finished_shards(tmp_path) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    process.wait(120)
    said = (tmp_path / "err.txt").read_text(encoding="utf-8")
    if number == signal.SIGTERM:
        assert process.returncode == 143, said
        assert said.strip().splitlines()[-1].startswith(f"nocturna: {GO_ON}")
        assert "Traceback" not in said
    else:
        assert process.returncode == -signal.SIGKILL
    assert 1 <= len(finished_shards(tmp_path)) < DOCUMENTS / 250
    assert nothing_left(tmp_path / "home"), "something outlived the run"
    assert not (tmp_path / "out" / "prensa" / "results").exists()
    assert "going on with run" in goes_on(arguments, tmp_path)
    summary = json.loads((tmp_path / "out.txt").read_text(encoding="utf-8"))
    assert summary["counts"]["scored"] == DOCUMENTS


def stopped_in_terminal(
    arguments: list[str], folder: Path, when: Callable[[], object], presses: int = 1
) -> tuple[Terminal, float]:
    """Presses Ctrl-C in the command's terminal; it and the seconds until it had ended."""
    terminal = in_terminal(arguments, folder, environment(folder))
    assert terminal.until(when, 240), terminal.said
    pressed = time.monotonic()
    for press in range(presses):
        terminal.press(CTRL_C)
        if press + 1 < presses:
            terminal.until(lambda: False, 0.3)
    ended = terminal.ended(60)
    took = time.monotonic() - pressed
    assert ended, terminal.said
    assert terminal.code == 130, terminal.said
    assert "Traceback" not in terminal.said.decode(errors="replace")
    assert GO_ON in terminal.lines[-1]
    assert nothing_left(folder / "home"), "something outlived the run"
    return terminal, took


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 1])
def test_ctrl_c_ends_after_the_batch_in_hand_and_the_run_goes_on(arguments, tmp_path, processes):
    arguments = [*arguments, "--processes", str(processes)]
    _, took = stopped_in_terminal(arguments, tmp_path, lambda: len(finished_shards(tmp_path)) >= 2)
    assert took < 15
    kept = {path: path.read_bytes() for path in finished_shards(tmp_path)}
    assert len(kept) >= 2
    states = recorded(tmp_path / "home")
    assert states in ([("CANCELLED", GO_ON)], [("CRASHED", GO_ON)])
    assert "going on with run" in goes_on(arguments, tmp_path)


def recorded(home: Path) -> list[tuple[str, str]]:
    """The states of the flow runs that an engine holds, and the beginning of their line."""
    import sqlite3

    with sqlite3.connect(home / "prefect.db") as database:
        rows = database.execute(
            "SELECT s.type, s.message FROM flow_run r JOIN flow_run_state s ON s.id = r.state_id"
        ).fetchall()
    return [(kind, (message or "")[: len(GO_ON)]) for kind, message in rows]


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(arguments, tmp_path):
    when = lambda: finished_shards(tmp_path)  # noqa: E731
    _, took = stopped_in_terminal([*arguments, "--processes", "2"], tmp_path, when, presses=2)
    assert took < 2


@pytest.mark.parametrize(
    "moment",
    [
        "engine starts",
        pytest.param("imports", marks=pytest.mark.slow),
        pytest.param("planning", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_before_anything_is_scored(arguments, tmp_path, moment):
    out, home = tmp_path / "out" / "prensa", tmp_path / "home"
    begun = time.monotonic()
    when = {
        "imports": lambda: time.monotonic() > begun + 0.4,
        "engine starts": lambda: len(left(home)) > 1,
        "planning": lambda: any(out.glob("work/*/index")),
    }[moment]
    _, took = stopped_in_terminal(arguments, tmp_path, when)
    assert took < 15
    assert not (out / "results").exists()


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_no_process(arguments, tmp_path):
    arguments = [*arguments, "--processes", "2"]
    chance = random.Random(20261125)
    for _ in range(12):
        process = start(arguments, tmp_path)
        time.sleep(chance.uniform(0, 20))
        process.kill()
        process.wait()
        assert nothing_left(tmp_path / "home")
    goes_on(arguments, tmp_path)
