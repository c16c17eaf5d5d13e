"""Ways to score texts, each in a process of its own, so that they take turns undisturbed."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEMPLATE = "Este ejemplo es {}."

Scores = NDArray[np.float32]
Score = Callable[[list[str]], Scores]


@dataclass(frozen=True)
class Way:
    """One way to score texts.

    Attributes:
        make: called once in the way's own process; a function of this module.
        rounds: how often it takes its turn.
    """

    name: str
    make: Callable[..., Score]
    arguments: tuple[Any, ...]
    rounds: int


@dataclass(frozen=True)
class Found:
    """What a way did.

    Attributes:
        seconds: median of its rounds.
        deviation: largest difference of any score from the first way's.
        peak: most resident memory of its process, in bytes.
    """

    seconds: float
    deviation: float
    peak: int
    scores: Scores


def ours(model: str, topics: Sequence[str], backend: str, precision: str, workers: int) -> Score:
    """Our scorer as a run uses it: a worker of one thread a core, each with its own shard."""
    from nocturna.tasks.inference.planned import plan_inference
    from nocturna.tasks.inference.running import running
    from nocturna.tasks.inference.scorer import score_texts
    from nocturna.tasks.job.job import Compute
    from nocturna.tasks.job.job_file import make_job

    labels = {"labels": list(topics)} if topics else {}
    parts: dict[str, Any] = {"scores": {"score": {"model": model, **labels}}}
    values = {"name": "b", "source": {"path": "-"}, "long_documents": {"policy": "truncate"}}
    plan = plan_inference(make_job(values | parts, "benchmark"))
    run = running(Compute(device="cpu", backend=backend, workers=workers), precision)

    def score(texts: list[str]) -> Scores:
        shards = [shard for i in range(workers) if (shard := texts[i::workers])]
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(lambda shard: score_texts(plan, shard, run), shards))
        each = [d.by_name["score"].values for d in done]
        found = np.empty((len(texts), each[0].shape[1]), dtype=np.float32)
        for i, scores in enumerate(each):
            found[i::workers] = scores
        return found

    return score


def by_pipeline(model: str, topics: Sequence[str], batch_size: int) -> Score:
    """A transformers pipeline over all cores; `batch_size` 1 is the notebook's way."""
    import torch
    from transformers import pipeline

    from nocturna.tasks.cores import usable_cores

    torch.set_num_threads(usable_cores())
    task = "zero-shot-classification" if topics else "text-classification"
    pipe: Any = pipeline(task, model=model, device="cpu")
    names = list(topics) or [pipe.model.config.id2label[i] for i in range(pipe.model.num_labels)]

    def score(texts: list[str]) -> Scores:
        if topics:
            rows = pipe(texts, names, hypothesis_template=TEMPLATE, batch_size=batch_size)
            found = [dict(zip(row["labels"], row["scores"], strict=True)) for row in rows]
        else:
            rows = pipe(texts, top_k=None, batch_size=batch_size, truncation=True)
            found = [{cell["label"]: cell["score"] for cell in row} for row in rows]
        return np.array([[row[name] for name in names] for row in found], dtype=np.float32)

    return score


def by_daft(model: str, topics: Sequence[str]) -> Score:
    """Daft's `classify_text`, which gives the top label only; the others count as 0."""
    import daft
    from daft.functions import classify_text

    def score(texts: list[str]) -> Scores:
        frame = daft.from_pydict({"text": texts}).with_column(
            "top",
            classify_text(daft.col("text"), list(topics), provider="transformers", model=model),
        )
        tops = frame.to_pydict()["top"]
        return np.array([[float(top == name) for name in topics] for top in tops], np.float32)

    return score


def daft_is_installed() -> bool:
    """Whether Daft can be compared with."""
    return find_spec("daft") is not None


def compare(ways: Sequence[Way], texts: list[str]) -> dict[str, Found]:
    """Lets every way score the texts in turn, round by round."""
    with ExitStack() as stack:
        calls = {way.name: stack.enter_context(_process(way)) for way in ways}
        seconds: dict[str, list[float]] = {way.name: [] for way in ways}
        last: dict[str, tuple[Scores, int]] = {}
        for call in calls.values():
            call(texts[:2])
        for turn in range(max(way.rounds for way in ways)):
            for way in ways:
                if turn < way.rounds:
                    scores, taken, peak = calls[way.name](texts)
                    seconds[way.name].append(taken)
                    last[way.name] = scores, peak
    exact = last[ways[0].name][0]
    return {
        name: Found(median(seconds[name]), float(np.abs(scores - exact).max()), peak, scores)
        for name, (scores, peak) in last.items()
    }


Call = Callable[[list[str]], tuple[Scores, float, int]]


@contextmanager
def _process(way: Way) -> Iterator[Call]:
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(there, way), daemon=True)
    process.start()

    def call(texts: list[str]) -> tuple[Scores, float, int]:
        here.send(texts)
        answer = here.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    yield call
    here.send(None)
    process.join()


def _serve(pipe: Connection, way: Way) -> None:
    try:
        score = way.make(*way.arguments)
        while (texts := pipe.recv()) is not None:
            start = time.perf_counter()
            scores = score(texts)
            pipe.send((scores, time.perf_counter() - start, _peak_rss()))
    except BaseException as error:
        pipe.send(RuntimeError(f"{way.name}: {error!r}"))


def _peak_rss() -> int:
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
