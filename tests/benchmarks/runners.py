"""The same night by each runner: python -m tests.benchmarks.runners

Paragraphs scored by a BERT-base, by as many workers as the machine has cores: threads, processes,
and the workers of a Ray cluster on this machine. Whole commands, which take turns. What a runner
costs once (Ray's own start, workers that start, import and load the model) is told apart from what
it costs for each document by a second, larger number of documents: the first is the same in both.
Of the difference, `scoring` is the time that a worker spent on its shards, by the manifest; what
the whole took more than that was waiting.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from nocturna.tasks.cores import usable_cores
from tests.benchmarks.base_model import base_model, documents, excerpt
from tests.benchmarks.commands import corpus, nocturna

RUNNERS = ("threads", "processes", "ray")


def main() -> None:
    """Measures as the command line says and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, nargs=2, default=[200, 1200])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    few, many = options.documents
    cores = usable_cores()
    print(f"{cores} workers on {cores} cores; seconds of each round\n")
    print(
        f"| runner | {few:,} paragraphs | {many:,} | for {many - few:,} more | x threads "
        "| scoring | x threads | once, more than threads |\n" + "|---" * 8 + "|"
    )
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        model = base_model(room / "bert-base", documents())
        taken: dict[tuple[str, int], list[Taken]] = {}
        for turn in range(options.rounds + 1):
            for count in options.documents:
                path = corpus(room, f"c{count}", excerpt(count))
                for runner in RUNNERS:
                    found = night(room, path, model, runner, cores)
                    if turn:
                        taken.setdefault((runner, count), []).append(found)
        first: tuple[float, float, float] | None = None
        for runner in RUNNERS:
            small, large = taken[runner, few], taken[runner, many]
            wall, busy = (
                mean(getattr(one, name) for one in large)
                - mean(getattr(one, name) for one in small)
                for name in ("wall", "busy")
            )
            once = mean(one.wall for one in small) - wall * few / (many - few)
            first = first or (wall, busy, once)
            said = [", ".join(f"{one.wall:.1f}" for one in each) for each in (small, large)]
            print(
                f"| {runner} | {said[0]} | {said[1]} | {wall:.1f} | {wall / first[0]:.2f} | "
                f"{busy:.1f} | {busy / first[1]:.2f} | {once - first[2]:.1f} |"
            )


@dataclass(frozen=True)
class Taken:
    """Seconds of a night, and of them those that each worker spent on shards."""

    wall: float
    busy: float


def night(room: Path, path: Path, model: Path, runner: str, workers: int) -> Taken:
    """One run over everything, whatever was scored before."""
    options = ("--sentiment-model", model, "--full", "--name", runner, "--replace")
    where = ("--runner", runner, "--workers", workers, "--device", "cpu")
    wall = nocturna(room, "warm", "score", path, "--id", "id", *options, *where).wall
    manifest = max((room / "out" / runner / "runs").glob("*/manifest.json"))
    timings = json.loads(manifest.read_text(encoding="utf-8"))["timings"]
    return Taken(wall, sum(timings[part] for part in ("read", "infer", "write")) / workers)


if __name__ == "__main__":
    main()
