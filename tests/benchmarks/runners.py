"""The same night by each runner: python -m tests.benchmarks.runners

Paragraphs scored by a BERT-base, by as many workers as the machine has cores: threads, processes,
and the workers of a Ray cluster on this machine. Whole commands, which take turns; what Ray's own
start takes is part of it, so that a second, larger number of documents tells it apart.
"""

import argparse
import tempfile
from pathlib import Path

from nocturna.tasks.cores import usable_cores
from tests.benchmarks.base_model import bert_base, documents, excerpt
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
    print(f"| runner | {few:,} paragraphs | {many:,} | for {many - few:,} more | x threads |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        model = bert_base(room / "bert-base", documents())
        taken: dict[tuple[str, int], list[float]] = {}
        for turn in range(options.rounds + 1):
            for count in options.documents:
                path = corpus(room, f"c{count}", excerpt(count))
                for runner in RUNNERS:
                    wall = night(room, path, model, runner, cores)
                    if turn:
                        taken.setdefault((runner, count), []).append(wall)
        base = 0.0
        for runner in RUNNERS:
            small, large = taken[runner, few], taken[runner, many]
            more = sum(large) / len(large) - sum(small) / len(small)
            base = base or more
            said = [", ".join(f"{wall:.1f}" for wall in walls) for walls in (small, large)]
            print(f"| {runner} | {said[0]} | {said[1]} | {more:.1f} | {more / base:.2f} |")


def night(room: Path, path: Path, model: Path, runner: str, workers: int) -> float:
    """Seconds of one run over everything, whatever was scored before."""
    options = ("--sentiment-model", model, "--full", "--name", runner, "--replace")
    where = ("--runner", runner, "--workers", workers, "--device", "cpu")
    return nocturna(room, "warm", "score", path, "--id", "id", *options, *where).wall


if __name__ == "__main__":
    main()
