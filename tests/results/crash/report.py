"""The crash report: kills runs everywhere, and prints what that cost.

    python -m tests.results.crash.report [--kills 1000] [--json]

Every figure is measured by the run that prints it.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.results.crash.storm import Storm, storm
from tests.results.crash.trials import SHARD, Trial, crash, points, prepare, serving


def main() -> int:
    """Runs both proofs; exits with 1 if anything was lost, duplicated or wrong."""
    parser = argparse.ArgumentParser(description="Kills runs everywhere and says what it cost.")
    parser.add_argument("--kills", type=int, default=1000, help="random kills (default: 1000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        every = every_point(Path(folder))
        random = asdict(_random(Path(folder), options.kills)) if options.kills else None
    figures = {"every_point": every, "random": random}
    if options.json:
        print(json.dumps(figures))
    else:
        _print(figures)
    rows = [every, random or {}]
    bad = ("wrong_reads", "lost", "duplicated", "wrong", "left_over")
    return int(any(figure.get(name) for figure in rows for name in bad))


def every_point(folder: Path) -> dict[str, Any]:
    """A kill before and after each file operation of a night that carries over and prunes."""
    start = time.monotonic()
    with serving(folder) as server:
        case = prepare(server, folder)
        wanted = points(case)
        trials = []
        for number, (kill_at, when) in enumerate(wanted):
            trials.append(crash(server, case, folder / "trial", kill_at, when))
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {len(wanted)} crash points", end="", file=sys.stderr)
    return {"operations": len(case.operations), **_summed(trials), "seconds": _since(start)}


def _summed(trials: list[Trial]) -> dict[str, Any]:
    return {
        "crash_points": len(trials),
        "wrong_reads": sum(t.wrong_reads for t in trials),
        "lost": sum(t.lost for t in trials),
        "duplicated": sum(t.duplicated for t in trials),
        "wrong": sum(t.wrong for t in trials),
        "left_over": sum(len(t.left_over) for t in trials),
        "shard_size": SHARD,
        "scored_again_mean": round(statistics.mean(t.scored_again for t in trials), 3),
        "scored_again_most": max(t.scored_again for t in trials),
        "scored_after_commit": sum(t.scored_anew for t in trials),
        "second_run_seconds_median": round(
            statistics.median(t.recovery_seconds for t in trials), 3
        ),
    }


def _random(folder: Path, kills: int) -> Storm:
    home = folder / "storm"
    home.mkdir()
    return storm(home, kills)


def _print(figures: dict[str, Any]) -> None:
    for proof, values in figures.items():
        for name, value in (values or {}).items():
            print(f"{proof.replace('_', ' '):<12} {name.replace('_', ' '):<26} {value:>12,}")


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)


if __name__ == "__main__":
    sys.exit(main())
