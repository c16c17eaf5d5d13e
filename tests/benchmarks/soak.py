"""Fifty nights in one `nocturna serve`: does anything grow that should not?

Each night the corpus changes: documents come, change and leave, the oldest first; it grows for the
first nights and keeps its size from then on. Once as many nights have passed as the job's retention
keeps, memory, descriptors, threads, files, disk and the engine's database have to stay as they are.

    python -m tests.benchmarks.soak --nights 50

Nights are asked for one after the other, as the page of the engine does it ("quick run"), because
a clock of minutes would take an hour; everything from there on is what the clock's nights go
through. Prints a table, and ends with 1 if something grew.
"""

import argparse
import base64
import json
import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.models import TEXTS, bert_classifier

KEPT_RUNS = 5
GROWING_NIGHTS = 5
START, GROWTH, LEAVING, CHANGING = 200, 60, 30, 20
ENGINE_SECONDS = 60
"""What the engine keeps of past nights here, so that its retention is full after a few nights."""

SLACK = {"rss_mb": 0.10, "database_mb": 0.15, "disk_mb": 0.15, "files": 0.10}
"""By how much the last nights may be above those before them; nothing else may grow at all."""


@dataclass(frozen=True)
class Night:
    """What there was after a night, with everything at rest.

    Attributes:
        seconds: wall-clock time of the night.
        documents: in the corpus.
        rss_mb: memory of the standing processes together, in MB.
        fds, threads, processes: of the same.
        files, disk_mb: under the output folder; what two names share is counted once.
        database_mb: of the engine, its write-ahead log included.
    """

    seconds: float
    documents: int
    rss_mb: float
    fds: int
    threads: int
    processes: int
    files: int
    disk_mb: float
    database_mb: float


class Corpus:
    """A file of documents that come, change and leave."""

    def __init__(self, path: Path) -> None:
        self._path, self._random, self._next = path, random.Random(7), 0
        self._texts: dict[int, str] = {}

    def next_night(self, night: int) -> int:
        """Writes the corpus of a night; how many documents it has."""
        grows = night <= GROWING_NIGHTS
        coming = START if night == 1 else GROWTH if grows else LEAVING
        leaving = 0 if grows else LEAVING
        for name in sorted(self._texts)[:leaving]:  # the oldest: records of runs go with their rows
            del self._texts[name]
        for name in self._random.sample(sorted(self._texts), CHANGING if self._texts else 0):
            self._texts[name] += f" Cambió la noche {night}."
        for _ in range(coming):
            self._texts[self._next] = f"{self._next}: {self._random.choice(TEXTS)}"
            self._next += 1
        rows = [json.dumps({"id": str(n), "text": text}) for n, text in self._texts.items()]
        self._path.write_text("\n".join([*rows, "esto no es JSON"]) + "\n", encoding="utf-8")
        return len(self._texts)


class Served:
    """A `nocturna serve` and its engine, asked for nights."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]", line: str) -> None:
        self._folder, self._process = folder, process
        found = re.search(r"engine at (\S+?/api)", line)
        assert found, line
        self._url = found[1]
        secret = re.search(r"password (\S+)", line)
        self._auth = base64.b64encode(secret[1].encode()).decode() if secret else None

    def night(self) -> str:
        """Has a night run and returns the state that it ended in."""
        until = time.monotonic() + 60
        while not (found := self._ask("/deployments/filter", {})) and time.monotonic() < until:
            time.sleep(0.5)
        deployment = found[0]["id"]
        run = self._ask(f"/deployments/{deployment}/create_flow_run", {})["id"]
        until = time.monotonic() + 600
        while time.monotonic() < until and self._process.poll() is None:
            state = str(self._ask(f"/flow_runs/{run}")["state"]["type"])
            if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state
            time.sleep(0.5)
        return "LOST"

    def measured(self, seconds: float, documents: int) -> Night:
        """What there is now, once no process of a night is left."""
        standing = self._at_rest()
        out, home = self._folder / "out", self._folder / "home"
        left = {p.lstat().st_ino: p.lstat().st_size for p in out.rglob("*") if _is_file(p)}
        return Night(
            seconds=seconds,
            documents=documents,
            rss_mb=sum(_status(pid, "VmRSS") for pid in standing) / 1024,
            fds=sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in standing),
            threads=sum(_status(pid, "Threads") for pid in standing),
            processes=len(standing),
            files=sum(1 for p in out.rglob("*") if _is_file(p)),
            disk_mb=sum(left.values()) / 1e6,
            database_mb=sum(p.stat().st_size for p in home.glob("prefect.db*")) / 1e6,
        )

    def _at_rest(self) -> list[int]:
        """The processes of serve, once their number stays the same for two seconds."""
        before: list[int] = []
        for _ in range(60):
            now = [self._process.pid, *_below(self._process.pid)]
            if now == before:
                return now
            before = now
            time.sleep(2)
        return before

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self._auth:
            headers["Authorization"] = f"Basic {self._auth}"
        request = urllib.request.Request(self._url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503:  # its database is busy for a moment
                raise
            time.sleep(1)
            return self._ask(path, body)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A job with a short retention, served; its clock never strikes meanwhile."""
    model = bert_classifier(folder / "model")
    job = {
        "name": "noches",
        "source": {"path": str(folder / "noches.jsonl"), "id": "id"},
        "scores": {"sentiment": {"model": str(model)}},
        "output": {"dir": str(folder / "out"), "deletions": "drop"},
        "quality": {"max_shift": None},
        "retention": {"snapshots": 2, "snapshot_hours": 0, "runs": KEPT_RUNS, "work_days": 0}
        | {"quarantine_days": 1e-6},
    }
    (folder / "noches.yaml").write_text(json.dumps(job), encoding="utf-8")
    command = [Path(sys.executable).with_name("nocturna"), "serve", folder / "noches.yaml"]
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "PREFECT_HOME": str(folder / "home"),
        "NOCTURNA_CACHE": str(folder / "cache"),
        "NOCTURNA_ENGINE_DAYS": str(ENGINE_SECONDS / 86400),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{ENGINE_SECONDS}S",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "10",
    }
    process = subprocess.Popen(
        [*command, "--cron", "0 3 1 1 *"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    ready = threading.Event()
    said: list[str] = []

    def listen() -> None:
        for line in process.stderr or ():
            said.append(line)
            if "engine at" in line:
                ready.set()
        ready.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        ready.wait(300)
        lines = [line for line in said if "engine at" in line]
        assert lines, "".join(said)
        yield Served(folder, process, lines[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def soak(nights: int, folder: Path) -> list[Night]:
    """Runs so many nights and returns what was measured after each."""
    corpus, found = Corpus(folder / "noches.jsonl"), []
    with serving(folder) as served:
        for night in range(1, nights + 1):
            documents, start = corpus.next_night(night), time.monotonic()
            state = served.night()
            assert state == "COMPLETED", f"night {night} ended as {state}"
            found.append(served.measured(time.monotonic() - start, documents))
            print(_line(str(night), found[-1]), flush=True)
    with sqlite3.connect(folder / "home" / "prefect.db") as database:
        kept = database.execute("SELECT count(*) FROM flow_run").fetchone()[0]
    print(f"\nflow runs left in the engine's database: {kept}")
    return found


def grown(nights: list[Night]) -> list[str]:
    """A line for each figure of the last third of the nights that is above that of the second."""
    third = len(nights) // 3
    middle, last = nights[third : 2 * third], nights[2 * third :]
    lines = []
    for name in ("rss_mb", "fds", "threads", "processes", "files", "disk_mb", "database_mb"):
        before = statistics.median(getattr(night, name) for night in middle)
        after = statistics.median(getattr(night, name) for night in last)
        if after > before * (1 + SLACK.get(name, 0.0)):
            lines.append(f"{name} grew from {before:,.1f} to {after:,.1f}")
    return lines


def _line(first: str, night: Night) -> str:
    cells = [f"{getattr(night, field.name):,.1f}".removesuffix(".0") for field in fields(night)]
    return "| " + " | ".join([first, *cells]) + " |"


def _below(pid: int) -> list[int]:
    """The processes that descend from one; of one that has ended, none."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_below(child)]
    return sorted(found)


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def main() -> None:
    """Prints the table and what grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=50)
    arguments = parser.parse_args()
    names = ["night", *(field.name for field in fields(Night))]
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    with tempfile.TemporaryDirectory(prefix="nocturna-soak-") as folder:
        (Path(folder) / "home").mkdir()
        nights = soak(arguments.nights, Path(folder))
    lines = grown(nights)
    print("\n".join(lines) if lines else "nothing grew once retention was full")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
