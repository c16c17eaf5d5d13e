"""Large corpora of several files are read by several processes, with the same result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus import lots, staging
from nocturna.tasks.corpus.lots import index_file, rejects_file, texts_file
from nocturna.tasks.corpus.staging import Shelf, Staged, stage
from nocturna.tasks.errors import UsageError
from nocturna.tasks.results import files
from nocturna.tasks.run import staged_run
from tests.corpus.corpora import source

FILES, ROWS = 5, 20_000
NOCTURNA = """
import nocturna.tasks.corpus.lots as lots, nocturna.tasks.corpus.staging as staging
lots._EDGE, staging.ASIDE_BYTES = 1, 1000
from nocturna.command import main
main()
"""


def part(number: int, rows: int) -> str:
    lines = [
        json.dumps({"id": f"{number}-{at}", "text": f"palabra {at} de {number}", "n": at})
        for at in range(rows)
    ]
    lines[rows // 2] = '{"id": "roto'
    return "\n".join(lines)


@pytest.fixture
def corpus(tmp_path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.jsonl").write_text(part(number, ROWS), encoding="utf-8")
    time.sleep(0.3)  # a file that was written just now may change again unseen, and has no key
    return folder


@pytest.fixture
def helpers(monkeypatch) -> list[int]:
    """Files are lots of their own, and worth processes; how many were started."""
    monkeypatch.setattr(lots, "_EDGE", 1)
    monkeypatch.setattr(staging, "ASIDE_BYTES", 1000)
    monkeypatch.setattr(staging, "usable_cores", lambda: 2)
    started: list[int] = []
    start = staged_run.start_pool
    monkeypatch.setattr(
        staged_run, "start_pool", lambda n, *how: (started.append(n), start(n, *how))[1]
    )
    return started


def staged(corpus: Path, shelf: Path, aside=staged_run._helpers) -> Staged:
    origin = source(corpus, id="id", keep=("n",))
    return stage(origin, Shelf(shelf, files.put_folder), (), None, None, aside)


def content(found: Staged) -> list[list[dict]]:
    named = (index_file, texts_file, rejects_file)
    return [
        pq.read_table(file(folder, number)).to_pylist()
        for folder, number, _ in found.chunks()
        for file in named
    ]


@pytest.mark.slow
def test_what_is_read_side_by_side_is_what_one_process_reads(corpus, tmp_path, helpers):
    alone = staged(corpus, tmp_path / "one", aside=None)
    assert helpers == []
    found = staged(corpus, tmp_path / "two")
    assert helpers == [2]
    assert [lot for _, lot in found.lots] == [lot for _, lot in alone.lots]
    assert content(found) == content(alone)
    assert found.rows == FILES * ROWS

    (corpus / "2.jsonl").write_text(part(7, ROWS), encoding="utf-8")
    again = staged(corpus, tmp_path / "two")
    assert helpers == [2], "one input is not worth a process"
    assert [lot.inputs for _, lot in again.lots if lot not in [x for _, x in found.lots]] != []
    assert again.rows == FILES * ROWS


def test_an_input_that_cannot_be_read_is_the_same_line(corpus, tmp_path, helpers):
    (corpus / "3.jsonl").write_text("nada de esto es JSON\n" * 500, encoding="utf-8")
    said = []
    for aside in (None, staged_run._helpers):
        with pytest.raises(UsageError) as error:
            staged(corpus, tmp_path / str(aside is None), aside)
        said.append(str(error.value))
    assert said[0] == said[1] and helpers == [2]


def command(tmp_path: Path) -> subprocess.Popen:
    keep = ("--id", "id", "--keep", "n", "--no-sentiment", "--labels", "ocio,dinero")
    return subprocess.Popen(
        [sys.executable, "-c", NOCTURNA, "score", "corpus", *keep],
        cwd=tmp_path,
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(process: subprocess.Popen) -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(pid) for listed in tasks for pid in listed.read_text().split()]
    return [p for p in found if "spawn_main" in Path(f"/proc/{p}/cmdline").read_text()]


def wait_for_reading(tmp_path: Path, process: subprocess.Popen) -> None:
    while not list(tmp_path.glob("out/corpus/**/.*.building/*")):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_run_whose_reading_ended_goes_on_where_it_was(tmp_path, number):
    (tmp_path / "corpus").mkdir()
    for at in range(FILES):
        (tmp_path / "corpus" / f"{at}.jsonl").write_text(part(at, 4 * ROWS), encoding="utf-8")
    process = command(tmp_path)
    wait_for_reading(tmp_path, process)
    of_it = children(process)
    assert of_it
    os.kill(process.pid if number == signal.SIGTERM else of_it[0], number)
    lines = process.communicate(timeout=60)[1].splitlines()
    if number == signal.SIGTERM:
        assert process.returncode == 143 and "run the same command again" in lines[-1]
    else:
        assert process.returncode == 1 and "a reading process died" in lines[-1]
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in of_it):
        assert time.monotonic() < deadline
        time.sleep(0.05)
