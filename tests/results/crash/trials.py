"""A trial: copy a folder of earlier nights, kill the next one somewhere, look, run it again."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.log_entries import current_snapshot, logged_numbers
from tests.results.crash.night import models, write_corpus
from tests.results.readers import READERS, Rows

SHARD = 4
"""Documents a shard: what a kill may cost."""

PER_RUN = ["run_id", "scored_at"]
"""The columns in which two runs over the same texts differ."""


@dataclass(frozen=True)
class Attempt:
    """One run of a night: the signal it died of (0: none), its exit code, and what it reported."""

    signal: int
    exit: int
    operations: list[str]
    error: str | None
    scored: int


@dataclass(frozen=True)
class Case:
    """Nights that were published, the corpus of the night that is to be killed, and what that
    night does if it is left alone: its rows, its file operations, the texts that it scores.
    """

    out: Path
    corpus: Path
    scored: int
    before: pd.DataFrame
    oracle: pd.DataFrame
    operations: list[str]


@dataclass(frozen=True)
class Trial:
    """What a kill did.

    Attributes:
        point: the file operation, and whether the kill came before or after it.
        wrong_reads: readers that did not see exactly the last snapshot or the new one.
        lost, duplicated, wrong: rows, after the same command was run again.
        left_over: files that should not be there after that.
        scored_again: texts scored more than once.
        scored_anew: texts that the same command scored after the night had been committed.
        recovery_seconds: of the second run, as long as the run itself.
    """

    point: str
    committed: bool
    wrong_reads: int
    lost: int
    duplicated: int
    wrong: int
    left_over: list[str]
    scored_again: int
    scored_anew: int
    recovery_seconds: float

    @property
    def clean(self) -> bool:
        bad = self.wrong_reads + self.lost + self.duplicated + self.wrong
        return bad == 0 and not self.left_over


class Server:
    """Runs nights in processes of their own; see tests/results/crash/server.py."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder

    def run(
        self,
        out: Path | str,
        corpus: Path,
        kill_at: int | None = None,
        when: str = "",
        kill_after: float | None = None,
        **environment: str,
    ) -> Attempt:
        """Runs a night, killed if so asked: `before` or `after` its `kill_at`-th operation on a
        file or an object, or after so many seconds.
        """
        report, scored = self._folder / "report.json", self._folder / "scored.txt"
        report.unlink(missing_ok=True)
        scored.write_text("")
        order = {"out": str(out), "corpus": str(corpus), "kill_at": kill_at, "when": when}
        order |= {"kill_after": kill_after, "environment": environment}
        order |= {"report": str(report), "scored": str(scored)}
        assert self._process.stdin and self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        ended = json.loads(self._process.stdout.readline())
        told: dict[str, Any] = {"operations": [], "error": None}
        if report.exists():
            told = json.loads(report.read_text(encoding="utf-8"))
        texts = sum(int(line) for line in scored.read_text().splitlines())
        return Attempt(ended["signal"], ended["exit"], told["operations"], told["error"], texts)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Starts the server that forks nights; `folder` takes its notes."""
    models()
    command = [sys.executable, "-m", "tests.results.crash.server"]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield Server(process, folder)
        finally:
            process.kill()


def prepare(server: Server, folder: Path, documents: int = 10) -> Case:
    """Publishes four nights of the past, and finds out what a fifth one does if left alone.

    The fifth corpus has changed, new and vanished documents, a line that is not JSON and a
    document without text.
    """
    out, corpus = folder / "out", folder / "corpus.jsonl"
    for night in range(4):
        write_corpus(corpus, range(documents), night)
        _must_work(server.run(out, corpus))
    set_back(layout_of(out, "prensa"))
    before = rows_of(layout_of(out, "prensa"))
    write_corpus(corpus, range(2, documents + 3), 4)
    _copy(out, folder / "oracle")
    attempt = _must_work(server.run(folder / "oracle", corpus))
    oracle = rows_of(layout_of(folder / "oracle", "prensa"))
    return Case(out, corpus, attempt.scored, before, oracle, attempt.operations)


def crash(server: Server, case: Case, folder: Path, kill_at: int, when: str) -> Trial:
    """Kills a night at one point, reads, runs the same night again, and compares."""
    shutil.rmtree(folder, ignore_errors=True)
    _copy(case.out, folder)
    layout = layout_of(folder, "prensa")
    attempt = server.run(folder, case.corpus, kill_at, when)
    assert attempt.signal == 9, f"operation {kill_at} was never reached: {attempt.error}"
    wrong_reads = sum(not _whole(layout, read, case) for read in READERS[:4])
    committed = len(logged_numbers(layout)) == 5
    start = time.monotonic()
    again = _must_work(server.run(folder, case.corpus))
    seconds = time.monotonic() - start
    found = rows_of(layout)
    return Trial(
        point=f"{when} {Path(case.operations[kill_at]).name} ({case.operations[kill_at]})",
        committed=committed,
        wrong_reads=wrong_reads,
        lost=len(set(case.oracle["doc_id"]) - set(found["doc_id"])),
        duplicated=int(found["doc_id"].duplicated().sum()),
        wrong=different(found, case.oracle),
        left_over=left_over(layout),
        scored_again=attempt.scored + (0 if committed else again.scored) - case.scored,
        scored_anew=again.scored if committed else 0,
        recovery_seconds=seconds,
    )


def points(case: Case) -> list[tuple[int, str]]:
    """Every crash point of the night: before and after each file operation."""
    return [(n, when) for n in range(len(case.operations)) for when in ("before", "after")]


def decisive(case: Case) -> list[tuple[int, str]]:
    """The points around the operations by which a plan counts and a night becomes visible."""
    chosen: dict[str, tuple[int, str]] = {}
    for number, operation in enumerate(case.operations):
        name, path = operation.split(" ", 1)
        place, last = Path(path).parent.name, Path(path).name
        if name != "rename" or not (place in {"log", "snapshots"} or last in _DECISIVE):
            continue
        chosen[f"before {place if place in {'log', 'snapshots'} else last}"] = (number, "before")
        if place == "snapshots":
            chosen["after snapshots"] = (number, "after")
    return list(chosen.values())


_DECISIVE = {"index", "shards", "dead.parquet", "plan.json", "shard-00001.json", "results"}


def rows_of(layout: Layout) -> pd.DataFrame:
    """What a reader sees, in the order of the ids."""
    frame = pd.read_parquet(layout.results)
    return frame.sort_values("doc_id", ignore_index=True)


def _whole(layout: Layout, read: Any, case: Case) -> bool:
    try:
        seen = read(layout.results)
    except Exception:
        return False
    return is_one_night(seen, case)


def is_one_night(seen: Rows, case: Any) -> bool:
    """Whether what a reader saw is the last snapshot or the new one, whole."""
    nights = set(case.before["run_id"])
    new = set(seen.values()) - nights
    views = [_view(case.before, nights), _view(case.oracle, nights)]
    return len(new) <= 1 and {d: r if r in nights else "new" for d, r in seen.items()} in views


def _view(rows: pd.DataFrame, nights: set[str]) -> dict[str, str]:
    pairs = zip(rows["doc_id"], rows["run_id"], strict=True)
    return {doc_id: run if run in nights else "new" for doc_id, run in pairs}


def different(found: pd.DataFrame, oracle: pd.DataFrame) -> int:
    """Rows that are not exactly those of the oracle, apart from run and time."""
    one, other = _comparable(found), _comparable(oracle)
    if list(one.columns) != list(other.columns):
        return len(other)
    both = one.merge(other, on=list(other.columns), how="outer", indicator=True)
    return int((both["_merge"] != "both").sum())


def _comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without run and time; batches of other texts change a score in the seventh digit."""
    return rows.drop(columns=PER_RUN).round(5).astype(object).fillna("null")


def left_over(layout: Layout) -> list[str]:
    """Temporary files, work of runs that are published, snapshots that nothing names."""
    files = [p for p in layout.root.rglob("*") if p.name.endswith(".tmp")]
    files += list((layout.root / "work").iterdir())
    numbers = set(logged_numbers(layout))
    files += [p for p in layout.snapshots.iterdir() if int(p.name) not in numbers]
    current = current_snapshot(layout)
    assert current is not None
    named = {part.name for part in current.parts}
    files += [p for p in layout.results.iterdir() if p.name not in named]
    return [str(p.relative_to(layout.root)) for p in files]


def set_back(layout: Layout, days: int = 10) -> None:
    """Moves the nights so far into the past, so that the next one has something to prune."""
    for number in logged_numbers(layout):
        entry = json.loads(layout.entry(number).read_bytes())
        moment = datetime.fromisoformat(entry["published_at"]) - timedelta(days=days)
        layout.entry(number).write_text(json.dumps(entry | {"published_at": moment.isoformat()}))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)


def _must_work(attempt: Attempt) -> Attempt:
    assert attempt.exit == 0, attempt.error
    return attempt
