"""SIGTERM finishes the batch in hand; kill -9 loses the shard in hand; both runs go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.models import TEXTS

DOCUMENTS = 6000
COMMAND = Path(sys.executable).with_name("nocturna")


@pytest.fixture
def arguments(small_models, tmp_path) -> list[str]:
    rows = [{"id": str(i), "text": f"{i} {TEXTS[i % len(TEXTS)]}"} for i in range(DOCUMENTS)]
    corpus = tmp_path / "prensa.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sentiment = str(small_models["sentiment"])
    options = ["--id", "id", "--shard-size", "500", "--sentiment-model", sentiment, "--json"]
    return [str(COMMAND), "score", "prensa.jsonl", *options]


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Starts the command; what it says goes to files, which nothing it leaves behind can block."""
    environment = {**os.environ, "PREFECT_HOME": str(folder / "home")}
    with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("wb") as err:
        return subprocess.Popen(arguments, cwd=folder, env=environment, stdout=out, stderr=err)


def finished_shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("out/prensa/work/*/shard-*.json"))


def engine_ends(home: Path) -> bool:
    """Whether no process with this engine home is left, soon."""
    mark = f"PREFECT_HOME={home}".encode()
    for _ in range(100):
        left = [p for p in Path("/proc").glob("[0-9]*/environ") if mark in read(p)]
        if not left:
            return True
        time.sleep(0.2)
    return False


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
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
        assert said.strip().splitlines()[-1].startswith("nocturna: stopped on request")
        assert "Traceback" not in said
    else:
        assert process.returncode == -signal.SIGKILL
    assert 1 <= len(finished_shards(tmp_path)) < DOCUMENTS / 500
    assert engine_ends(tmp_path / "home"), "the engine outlived the run"
    assert not (tmp_path / "out" / "prensa" / "results").exists()

    again = start(arguments, tmp_path)
    again.wait(300)
    said = (tmp_path / "err.txt").read_text(encoding="utf-8")
    assert again.returncode == 0, said
    assert "going on with run" in said
    summary = json.loads((tmp_path / "out.txt").read_text(encoding="utf-8"))
    assert summary["counts"]["scored"] == DOCUMENTS
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert sorted(frame.doc_id.astype(int)) == list(range(DOCUMENTS))
