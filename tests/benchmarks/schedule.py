"""How well many workers are used, by events: python -m tests.benchmarks.schedule

The shards of a corpus, cut as a plan cuts them, are handed out in order to workers of which some
die. What a dead worker had in hand is scored again from its last kept piece, by whoever is free
next; another worker takes its place after a while and loads the models. Nothing is slept.
"""

import argparse
import heapq
import random
from dataclasses import dataclass

from nocturna.tasks.run.cutting import _Sizes as Sizes
from nocturna.tasks.run.pieces import SECONDS as PIECE_SECONDS

HOUR = 3600.0


@dataclass(frozen=True)
class Cluster:
    """What is simulated.

    Attributes:
        documents: of the corpus.
        rate: documents that a worker scores a second.
        spread: standard deviation of a shard's time, as a share of it.
        deaths: share of the workers that die in an hour.
        away: seconds until another worker is there.
        loading: seconds to load the models.
    """

    documents: int
    workers: int
    rate: float = 50.0
    spread: float = 0.1
    deaths: float = 0.01
    away: float = 300.0
    loading: float = 30.0


@dataclass(frozen=True)
class Ran:
    """What came of it.

    Attributes:
        seconds: until the last shard was done.
        efficiency: share of the workers' time in which they scored what nobody had scored before.
        again: seconds of work that were done twice.
    """

    shards: int
    seconds: float
    efficiency: float
    deaths: int
    again: float


def simulate(cluster: Cluster, seed: int) -> Ran:
    """Runs a night of events."""
    chance = random.Random(seed)
    sizes = Sizes.of(cluster.documents, 200 * cluster.documents, None, cluster.workers)
    each = cluster.documents / sizes.shards / cluster.rate
    waiting = [max(1.0, chance.gauss(each, cluster.spread * each)) for _ in range(sizes.shards)]
    useful, again, deaths, end = sum(waiting), 0.0, 0, 0.0
    waiting.reverse()
    free = [(cluster.loading, number) for number in range(cluster.workers)]
    heapq.heapify(free)
    dies = [_life(cluster, chance) for _ in range(cluster.workers)]
    while waiting:
        now, worker = heapq.heappop(free)
        work = waiting.pop()
        if now + work <= dies[worker]:
            end = max(end, now + work)
            heapq.heappush(free, (now + work, worker))
            continue
        done = max(0.0, dies[worker] - now)
        lost = done % PIECE_SECONDS
        again, deaths = again + lost, deaths + 1
        waiting.append(work - done + lost)
        back = max(now, dies[worker]) + cluster.away + cluster.loading
        dies[worker] = back + _life(cluster, chance)
        heapq.heappush(free, (back, worker))
    return Ran(sizes.shards, end, useful / (cluster.workers * end), deaths, again)


def _life(cluster: Cluster, chance: random.Random) -> float:
    return chance.expovariate(cluster.deaths / HOUR) if cluster.deaths else float("inf")


def main() -> None:
    """Simulates as the command line says and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=50.0, help="documents a second of a worker")
    options = parser.parse_args()
    print("| documents | workers | deaths an hour | shards | hours | efficiency, worst of 20 |")
    print("|---|---|---|---|---|---|")
    for documents, workers in ((10**7, 8), (10**8, 100), (10**9, 100), (10**9, 1000)):
        for deaths in (0.0, 0.01, 0.1):
            cluster = Cluster(documents, workers, options.rate, deaths=deaths)
            ran = [simulate(cluster, seed) for seed in range(20)]
            worst = min(ran, key=lambda one: one.efficiency)
            print(
                f"| {documents:,} | {workers:,} | {deaths:.0%} | {worst.shards:,} | "
                f"{worst.seconds / HOUR:,.1f} | {worst.efficiency:.1%} |"
            )


if __name__ == "__main__":
    main()
