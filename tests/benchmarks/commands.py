"""Whole commands against the obvious script: python -m tests.benchmarks.commands

Model load, start, engine and end included. `nocturna score` and the scripts (a pipeline, a text at
a time and in batches, to Parquet) take turns over the same paragraphs with a BERT-base of random
weights; each command runs once before over the first corpus, so that what is converted and measured
once is there, and once in a new cache, which shows what the very first run costs. Then what the
commands that do not score cost, in CPU seconds of all their processes, and a first run of the
bundled models over twenty short documents against a script that loads the same two and scores the
same texts.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.device import usable_precisions
from nocturna.tasks.job.job import Compute
from nocturna.tasks.results.machine import machine_facts
from tests.benchmarks.base_model import base_model, documents, excerpt

ROOT = Path(__file__).parents[2]
SIZES = {1: "a text at a time"}
SHORT = "Me ha gustado mucho el curso número {}; lo recomiendo."


@dataclass(frozen=True)
class Cost:
    """Wall-clock and CPU seconds of a command, all its processes included."""

    wall: float
    cpu: float


def main() -> None:
    """Measures as the command line says and prints tables in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[20, 300])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 32], help="of the script")
    options = parser.parse_args()
    facts = machine_facts("cpu")
    libraries = f"torch {version('torch')}, OpenVINO {version('openvino')}"
    print(f"{facts['processor']}, {usable_cores()} cores; {libraries}; ", end="")
    print(f"{options.rounds} rounds, by turns; all of them are given")
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        model = base_model(room / "bert-base", documents())
        for count in options.documents:
            path = corpus(room, f"c{count}", excerpt(count))
            compare(room, model, path, options, first=count == options.documents[0])
        small(room, options.rounds)


def corpus(room: Path, name: str, texts: Sequence[str]) -> Path:
    """A JSONL file of texts with ids."""
    path = room / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(texts):
            lines.write(json.dumps({"id": f"d{number}", "text": text}, ensure_ascii=False) + "\n")
    return path


def compare(room: Path, model: Path, path: Path, options: argparse.Namespace, first: bool) -> None:
    """Prints the scripts' seconds and each precision's: warm and, `first`, in a new cache."""
    precisions = usable_precisions(Compute())
    seconds: dict[str, list[float]] = {}
    colds = precisions if first else ()
    for precision in colds:
        score(room, path, model, precision, "warm")
    for _ in range(options.rounds):
        for size in options.batches:
            taken = script(room, path, model, size).wall
            seconds.setdefault(f"script, {SIZES.get(size, f'batches of {size}')}", []).append(taken)
        for precision in precisions:
            taken = score(room, path, model, precision, "warm").wall
            seconds.setdefault(precision, []).append(taken)
    for precision in colds:
        cold = score(room, path, model, precision, f"cold-{precision}")
        seconds[f"{precision}, the first run of all"] = [cold.wall]
    with path.open(encoding="utf-8") as lines:
        count = sum(1 for _ in lines)
    scripts = [(way, mean(taken)) for way, taken in seconds.items() if way.startswith("script")]
    print(f"\n### {count:,} paragraphs, BERT-base\n\n| way | seconds |", end="")
    print("".join(f" x {way} |" for way, _ in scripts) + "\n|---|---|" + "---|" * len(scripts))
    for way, found in seconds.items():
        times = "".join(f" {base / mean(found):.2f} |" for _, base in scripts)
        print(f"| {way} | {', '.join(f'{s:.1f}' for s in found)} |{times}", flush=True)


def small(room: Path, rounds: int) -> None:
    """Prints what small commands cost in CPU seconds."""
    path = corpus(room, "short", [SHORT.format(number) for number in range(20)])
    labels = ("--labels", "política,computación,estadística")
    tell = {
        "--version": ("--version",),
        "--help": ("--help",),
        "runs": ("runs",),
        "a path that is not there": ("score", "nada.jsonl", *labels),
        "a column that is not there": ("score", path, "--id", "codigo", *labels),
        "a model that is not there": ("score", path, "--sentiment-model", "./nada"),
        "--dry-run of 20 documents": ("score", path, "--id", "id", *labels, "--dry-run"),
    }
    print("\n| command | CPU seconds |\n|---|---|")
    for name, arguments in tell.items():
        ends = 2 if "not there" in name else 0
        taken = [nocturna(room, "small", *arguments, ends=ends).cpu for _ in range(rounds)]
        print(f"| {name} | {', '.join(f'{s:.2f}' for s in taken)} |")
    for turn in range(rounds):
        first = nocturna(room, f"first-{turn}", "score", path, "--id", "id", *labels)
        again = nocturna(room, f"first-{turn}", "score", path, "--id", "id", *labels, "--full")
        models = [sys.executable, "-m", "tests.benchmarks.plain", "bundled", path]
        plain = run(room, "plain", models)
        print(f"| a first run of 20 documents / the models alone | {first.cpu:.1f} / ", end="")
        print(f"{plain.cpu:.1f}: {first.cpu - plain.cpu:+.1f} |")
        print(f"| the second run | {again.cpu:.1f} |")


def score(room: Path, path: Path, model: Path, precision: str, home: str) -> Cost:
    """One run over everything, whatever was scored before."""
    options = ("--sentiment-model", model, "--precision", precision, "--full")
    name = ("--name", f"{path.stem}-{precision}")
    return nocturna(room, home, "score", path, "--id", "id", *options, *name)


def nocturna(room: Path, home: str, *arguments: object, ends: int = 0) -> Cost:
    """Runs the command with a cache and an engine of its own, named by `home`."""
    code = "from nocturna.command import main; main()"
    return run(room, home, [sys.executable, "-c", code, *arguments], ends)


def script(room: Path, path: Path, model: Path, size: int) -> Cost:
    """Runs the obvious script, whose pipeline takes batches of a size."""
    command = [sys.executable, "-m", "tests.benchmarks.plain", "notebook", path, model]
    return run(room, "script", [*command, room / "script.parquet", size])


def run(room: Path, home: str, command: Sequence[object], ends: int = 0) -> Cost:
    """What a command costs that ends with a code; its output is thrown away."""
    own = {
        "NOCTURNA_CACHE": str(room / home / "cache"),
        "PREFECT_HOME": str(room / home / "engine"),
        "PYTHONPATH": str(ROOT),
    }
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"} | own
    (room / home).mkdir(exist_ok=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=room,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != ends:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu)


if __name__ == "__main__":
    main()
