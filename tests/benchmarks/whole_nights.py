"""What nights of a large corpus cost as whole commands: python -m tests.benchmarks.whole_nights

A JSONL corpus of short texts that repeat, so that the models have next to nothing to do: a first
night, one on which nothing changed, one on which the file was written anew with the same rows, and
one on which of a thousand rows ten have another text, one is new and one is gone. CPU seconds of
all processes of a command, above those of twenty rows (which is what a run costs anyway), and the
largest process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.corpora import plain_jsonl

ROOT = Path(__file__).parents[2]
DISTINCT = 2_000
TEXT = "El presupuesto número {} de este año se discute hoy en la cámara con mucha atención."
LABELS = "política,computación,estadística"


@dataclass(frozen=True)
class Cost:
    """CPU and wall-clock seconds of a command, and the most memory that one of its processes had.

    Attributes:
        peak: MB.
    """

    cpu: float
    wall: float
    peak: float


def main() -> None:
    """Measures as the command line says and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="be the plain script")
    options = parser.parse_args()
    if options.plain:
        plain_jsonl(Path("c.jsonl"), Path("plain.parquet"))
        return
    print("| rows | night | CPU s | above twenty rows | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        fixed = [list(nights(room / f"few-{turn}", 20)) for turn in range(options.rounds + 1)][1:]
        for rows in options.rows:
            write(room / "c.jsonl", rows)
            plain = run(room, [sys.executable, "-m", "tests.benchmarks.whole_nights", "--plain"])
            print(f"| {rows:,} | plain script | {plain.cpu:.1f} | | {plain.peak:,.0f} |")
            found = [list(nights(room / f"{rows}-{turn}", rows)) for turn in range(options.rounds)]
            for place, night in enumerate(NIGHTS):
                costs, least = [turn[place] for turn in found], [turn[place] for turn in fixed]
                base = sum(cost.cpu for cost in least) / len(least)
                print(
                    f"| {rows:,} | {night} | {', '.join(f'{cost.cpu:.1f}' for cost in costs)} | "
                    f"{', '.join(f'{cost.cpu - base:.1f}' for cost in costs)} | "
                    f"{', '.join(f'{cost.peak:,.0f}' for cost in costs)} |"
                )


NIGHTS = ("first", "nothing changed", "the file written anew", "1.2 % changed")


def nights(room: Path, rows: int) -> Iterator[Cost]:
    """What each of `NIGHTS` costs."""
    room.mkdir()
    path = room / "c.jsonl"
    write(path, rows)
    time.sleep(0.2)  # a file that was written just now may change again unseen
    yield score(room)
    yield score(room)
    write(path, rows)
    yield score(room)
    write(path, rows, changed=True)
    yield score(room)


def write(path: Path, rows: int, changed: bool = False) -> None:
    """Writes the corpus, of which no more than a line is held: a process begins with our memory."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(lines(rows, changed))


def lines(rows: int, changed: bool = False) -> Iterator[str]:
    for number in range(rows):
        place = number % 1_000
        if changed and place == 999:
            continue
        other = changed and number // 7 % 100 == 5  # of every kind of text, or the shares move
        text = TEXT.format((number + 977 if other else number) % DISTINCT)
        row = {"id": f"documento-{number:09}", "text": text, "speaker": f"orador {number % 50}"}
        yield json.dumps(row, ensure_ascii=False) + "\n"
        if changed and place == 998:
            yield json.dumps(row | {"id": f"nuevo-{number:09}"}, ensure_ascii=False) + "\n"


def score(room: Path) -> Cost:
    """Runs a night, with a cache and an engine of its own that the nights of a room share."""
    code = "from nocturna.command import main; main()"
    keep = ("--id", "id", "--keep", "speaker", "--labels", LABELS)
    return run(room, [sys.executable, "-c", code, "score", "c.jsonl", *keep])


def run(room: Path, command: Sequence[str]) -> Cost:
    """What a command costs; its output is thrown away."""
    own = {
        "NOCTURNA_CACHE": str(room / "cache"),
        "PREFECT_HOME": str(room / "engine"),
        "PYTHONPATH": str(ROOT),
    }
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=room,
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{room}: {command} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
