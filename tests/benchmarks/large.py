"""What very large corpora take, on paper, from what was measured: python -m tests.benchmarks.large

Nothing is run: the rates are those of docs/performance.md, the prices those of `prices.csv`, both
to be replaced by one's own. Hours of scoring come from the simulation of `schedule.py`.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.schedule import HOUR, Cluster, simulate

PRICES = Path(__file__).with_name("prices.csv")
PLANNED, PUBLISHED = 58_165, 253_146
"""Documents a second that one machine reads and plans, and publishes: the chain of
docs/performance.md."""
SCORES = {
    "classifier, fp32": 41.5 / 2,
    "classifier, int8": 92.6 / 2,
    "5 topics by NLI, fp32": 7.2 / 2,
    "5 topics by NLI, int8": 16.3 / 2,
}
"""Documents of some 55 tokens that a core scores a second with a network of BERT-base's size: the
rates of two cores of docs/performance.md, halved."""
BUCKET, SCAN = 5e6, 3.0 / 20e6
"""Documents and rows that are compared at a time, and seconds an id to read all again for each."""
JOIN = (39.0 - 2 * 20e6 / BUCKET * 3.0) / 20e6
"""Seconds a document that comparing takes besides: a usual night took 39 s at 20 million."""
ROW, WORK = 44, 67
"""Bytes of a published row, and of what a document takes in the work folder besides its text."""
NIGHTS = ((10**8, 12), (10**9, 120))
"""Documents, and machines that share them."""


@dataclass(frozen=True)
class Machine:
    """A machine that can be rented, at what it was listed for on some day."""

    name: str
    cores: int
    gpus: str
    usd: float
    as_of: str


def machines() -> list[Machine]:
    """Those of the price list."""
    with PRICES.open(encoding="utf-8") as lines:
        return [
            Machine(r["machine"], int(r["cores"]), r["gpus"], float(r["usd_an_hour"]), r["as_of"])
            for r in csv.DictReader(lines)
        ]


def scoring() -> list[str]:
    """Hours and dollars of scoring, by score and size, as rows of a table."""
    rented = next(machine for machine in machines() if not machine.gpus)
    found = [
        "| documents | score | machines | hours | core hours | USD |",
        "|---|---|---|---|---|---|",
    ]
    for documents, count in NIGHTS:
        for score, rate in SCORES.items():
            workers = count * rented.cores
            ran = simulate(Cluster(documents, workers, rate, deaths=0.01), seed=0)
            hours = ran.seconds / HOUR
            usd = hours * count * rented.usd
            found.append(
                f"| {documents:,} | {score} | {count} | {hours:,.1f} | {hours * workers:,.0f} | "
                f"{usd:,.0f} |"
            )
    return found


def alone() -> list[str]:
    """What the machine of the command does by itself, as rows of a table."""
    found = [
        "| documents | read and planned, h | another night compared, h | of it ids read again, h "
        "| published, h | results, GB | work besides texts, GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for documents, _ in NIGHTS:
        again = 2 * documents / BUCKET * documents * SCAN / HOUR
        found.append(
            f"| {documents:,} | {documents / PLANNED / HOUR:.1f} | "
            f"{again + documents * JOIN / HOUR:.1f} | {again:.1f} | "
            f"{documents / PUBLISHED / HOUR:.1f} | {documents * ROW / 1e9:,.0f} | "
            f"{documents * (ROW + WORK) / 1e9:,.0f} |"
        )
    return found


def break_even() -> list[str]:
    """Documents a second from which a GPU costs less than cores, as rows of a table."""
    rented = next(machine for machine in machines() if not machine.gpus)
    found = ["| machine | " + " | ".join(SCORES) + " |", "|---" * (1 + len(SCORES)) + "|"]
    for gpu in (machine for machine in machines() if machine.gpus):
        each = [rate * rented.cores * gpu.usd / rented.usd for rate in SCORES.values()]
        found.append(f"| {gpu.name} ({gpu.gpus}) | " + " | ".join(f"{r:,.0f}" for r in each) + " |")
    return found


def main() -> None:
    """Prints the tables of docs/scale.md."""
    for table in (scoring(), alone(), break_even()):
        print("\n".join(table), end="\n\n")


if __name__ == "__main__":
    main()
