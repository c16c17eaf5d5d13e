"""What everything around the models costs: python -m tests.benchmarks.chain

The plain steps of a run (plan, score every shard, publish) over the speeches corpus, as JSONL, with
a model that costs nothing: reading, telling languages, tokenising, checking and writing are all
that is left, in one thread, in a thread a core, and in a process a core, which is how a GPU is fed.
Then over a few of its documents with a BERT-base in fp32 and in turn with the free model, which
tells what share of a real run the chain has. No engine, no download.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch

import nocturna  # noqa: F401  its settings, before the packages that they set
from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.batches import BatchLayout, Sequence
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.plan import plan_run
from nocturna.tasks.publish import publish_results
from nocturna.tasks.results.layout import Layout, new_run_id
from nocturna.tasks.results.shard_records import ScoredShard
from nocturna.tasks.run.frozen import job_layout
from nocturna.tasks.run.runners import Signals
from nocturna.tasks.run.staged_run import stage_job
from nocturna.tasks.score import score_alone
from tests.benchmarks.base_model import base_model, documents

GPU_BUDGET = 131_072
"""Tokens a batch, as on a GPU."""


@dataclass
class FreeModel:
    """Gives every text the same scores at once, however long it is."""

    most_tokens: int | None = None
    landmark: int | None = None
    layout: BatchLayout = "packed"

    def forward(self, batch: list[Sequence]) -> np.ndarray:
        return np.zeros((len(batch), 3), dtype=np.float32)


def main() -> None:
    """Measures as the command line says and prints rates and the share."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000, help="for the free model")
    parser.add_argument("--scored", type=int, default=1_500, help="for BERT-base")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workers = usable_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = base_model(folder / "bert-base", documents())
        large = write_corpus(folder / "large.jsonl", options.documents)
        print(f"{workers} cores, torch {torch.__version__}, {options.rounds} rounds, medians\n")
        spawn = get_context("spawn")
        with (
            free_model(),
            ThreadPoolExecutor(1) as one,
            ThreadPoolExecutor(workers) as threads,
            ProcessPoolExecutor(workers, spawn, initializer=become_free) as processes,
        ):
            pools = {"one thread": one, "a thread a core": threads, "a process a core": processes}
            found: dict[str, list[dict[str, float]]] = {where: [] for where in pools}
            for turn in range(options.rounds + 1):
                for where, pool in pools.items():
                    out = folder / f"{where} {turn}"
                    found[where].append(run(job_of(large, model, out, GPU_BUDGET), pool))
        print_rates(found, options.documents)
        few = write_corpus(folder / "few.jsonl", options.scored)
        shares = [share(few, model, folder / str(i), workers) for i in range(options.rounds)]
        print(
            f"\nBERT-base, fp32, {options.scored} documents: the rest of the chain takes ", end=""
        )
        print(f"{median(shares):.1%} of the time")


def print_rates(found: dict[str, list[dict[str, float]]], documents: int) -> None:
    """Documents a second of each step, after a first turn that loaded everything."""
    for step in ("plan", "score", "publish"):
        for pool, turns in found.items():
            seconds = median(times[step] for times in turns[1:])
            if step == "score" or pool == next(iter(found)):
                where = f", {pool}" if step == "score" else ""
                print(f"{step + where:28} {seconds:6.2f} s {documents / seconds:9,.0f} documents/s")


def share(corpus: Path, model: Path, out: Path, workers: int) -> float:
    """Time of a whole run with the free model as a share of that with BERT-base."""
    with ThreadPoolExecutor(workers) as pool:
        run(job_of(corpus, model, out / "warm"), pool)
        real = run(job_of(corpus, model, out / "real"), pool)
        with free_model():
            free = run(job_of(corpus, model, out / "free"), pool)
    return sum(free.values()) / sum(real.values())


def run(job: Job, pool: Executor) -> dict[str, float]:
    """Seconds of each step of a run whose shards are scored in the pool."""
    layout, run_id = job_layout(job), new_run_id()
    layout.root.mkdir(parents=True)
    marks = [time.perf_counter()]
    plan = plan_run(job, run_id, stage_job(job, run_id))
    marks.append(time.perf_counter())
    shards = list(pool.map(partial(score_one, layout, job, run_id), range(len(plan.shards))))
    marks.append(time.perf_counter())
    publish_results(layout, run_id, shards, None, marks[-1] - marks[0])
    marks.append(time.perf_counter())
    return dict(zip(("plan", "score", "publish"), np.diff(marks).tolist(), strict=True))


def score_one(layout: Layout, job: Job, run_id: str, shard: int) -> ScoredShard:
    """Scores a shard, in any thread or process."""
    signals = Signals(stop=lambda: False, advance=lambda documents: None)
    return score_alone(layout, run_id, shard, signals)


def job_of(corpus: Path, model: Path, out: Path, batch_tokens: int | None = None) -> Job:
    """Sentiment on a CPU, long documents cut so that each is read once."""
    values: dict[str, Any] = {
        "name": "chain",
        "source": {"path": str(corpus), "id": "id"},
        "scores": {"sentiment": {"model": str(model)}},
        "long_documents": {"policy": "truncate"},
        "compute": {"device": "cpu", "batch_tokens": batch_tokens},
        "output": {"dir": str(out)},
    }
    return make_job(values, "benchmark")


def write_corpus(path: Path, count: int) -> Path:
    """The first documents of the corpus, numbered, a line each."""
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(islice(documents(), count)):
            row = {"id": f"d{number:06}", "text": text}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def become_free() -> None:
    """Puts the free model in the place of every other in this process."""
    mock.patch("nocturna.tasks.inference.sequence_model.make_ready", lambda *_: FreeModel()).start()


@contextmanager
def free_model() -> Iterator[None]:
    """Puts the free model in the place of every other."""
    with mock.patch("nocturna.tasks.inference.sequence_model.make_ready", lambda *_: FreeModel()):
        yield


if __name__ == "__main__":
    main()
