"""Shards scored in processes of their own: the same rows, and a death is one clear line."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from nocturna import artifacts
from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def corpus(tmp_path) -> Path:
    rows = [{"id": str(i), "text": f"{i} {TEXTS[i % len(TEXTS)]}"} for i in range(400)]
    path = tmp_path / "prensa.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def scored(folder: Path) -> pd.DataFrame:
    frame = pd.read_parquet(folder / "prensa" / "results").sort_values("doc_id")
    return frame.drop(columns=["run_id", "scored_at"]).reset_index(drop=True)


def children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" ", 1)
        except OSError:
            continue
        parent = int(rest.rpartition(")")[2].split()[1])
        if parent == os.getpid() and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
            found.append(int(pid))
    return found


@pytest.mark.slow
def test_two_processes_give_the_rows_that_one_gives(nocturna, models, corpus, tmp_path):
    options = ["score", corpus, *models, "--id", "id", "--shard-size", 50]
    assert nocturna(*options, "--out", tmp_path / "one").code == 0
    seen: set[int] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.update(children())

    looking = threading.Thread(target=look)
    looking.start()
    done = nocturna(*options, "--out", tmp_path / "two", "--processes", 2, "--json")
    over.set()
    looking.join()
    assert done.code == 0, done.err
    assert done.json["counts"]["scored"] == 400
    assert len(seen) == 2, "the shards were not scored in processes of their own"
    until = time.monotonic() + 10
    while children() and time.monotonic() < until:
        time.sleep(0.05)
    assert not children(), "they outlived the run"
    pd.testing.assert_frame_equal(scored(tmp_path / "one"), scored(tmp_path / "two"), atol=1e-5)


@pytest.mark.slow
def test_a_process_that_dies_costs_what_it_had_in_hand(nocturna, models, corpus, tmp_path):
    before = set(children())

    def kill() -> None:
        while not tuple(tmp_path.glob("out/prensa/work/*/shard-*.json")):
            time.sleep(0.01)
        for pid in set(children()) - before:
            os.kill(pid, signal.SIGKILL)

    options = ["score", corpus, *models, "--id", "id", "--shard-size", 10, "--processes", 3]
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    done = nocturna(*options, "--json")
    killer.join(60)
    assert not killer.is_alive()
    assert done.code == 0, done.err
    assert done.json["counts"]["scored"] == 400


def test_progress_that_another_thread_tells_goes_to_the_engine_of_the_run(monkeypatch):
    told = []

    def update(*given: object) -> None:
        told.append(PREFECT_API_URL.value())

    monkeypatch.setattr(artifacts, "UPDATE_SECONDS", 0.0)
    monkeypatch.setattr(artifacts.FlowRunContext, "get", object)
    monkeypatch.setattr(artifacts, "create_progress_artifact", lambda *given, **named: "a bar")
    monkeypatch.setattr(artifacts, "update_progress_artifact", update)
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        artifacts.progress_bar(10) as (advance, _),
    ):
        passing = threading.Thread(target=advance, args=[4.0])
        passing.start()
        passing.join()
        until = time.monotonic() + 10
        while not told and time.monotonic() < until:
            time.sleep(0.01)
        assert told[0] == "http://127.0.0.1:9/api"
