"""Scoring shards in processes of their own, where the Python of one could not feed a GPU.

A process loads the models for itself. It stops when it is asked to, like a thread would, and it
never outlives the process that started it, not even one that was killed.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.control import advance, stopping
from tasks.errors import NocturnaError
from tasks.job import Job
from tasks.results.records import ScoredShard

_HEARTBEAT = 0.2


def score_in_process(processes: int, job: Job, run_id: str, shard: int) -> ScoredShard:
    """Scores a shard in one of so many processes, which are kept for the next shards.

    Raises:
        NocturnaError: what scoring it raised, or that its process died.
    """
    with _starting:
        pool = _pool(processes)
    if not stopping():
        pool.stop.clear()
    try:
        return pool.executor.submit(_score, Path.cwd(), job, run_id, shard).result()
    except BrokenProcessPool:
        _pool.cache_clear()
        raise NocturnaError(
            "a scoring process died, most likely for want of memory; run the same command again "
            "with fewer --processes or a smaller compute.batch_tokens: it goes on where it stopped"
        ) from None


_starting = threading.Lock()


@dataclass(frozen=True)
class _Pool:
    executor: ProcessPoolExecutor
    stop: Any
    done: Any


@cache
def _pool(processes: int) -> _Pool:
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.SimpleQueue()
    executor = ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(os.getpid(), stop, done)
    )
    pool = _Pool(executor, stop, done)
    threading.Thread(target=_pass_on_stops, args=[pool], daemon=True).start()
    threading.Thread(target=_pass_on_progress, args=[pool], daemon=True).start()
    return pool


def _pass_on_stops(pool: _Pool) -> None:
    while True:
        (pool.stop.set if stopping() else pool.stop.clear)()
        time.sleep(_HEARTBEAT)


def _pass_on_progress(pool: _Pool) -> None:
    while True:
        advance(pool.done.get())


_stop: Callable[[], bool]
_advance: Callable[[float], None]


def _begin(parent: int, stop: Any, done: Any) -> None:
    """What a new process does first."""
    global _stop, _advance
    _stop, _advance = stop.is_set, done.put
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process at once when its parent has died."""
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _score(folder: Path, job: Job, run_id: str, shard: int) -> ScoredShard:
    """Scores a shard; `folder` is what relative paths of the job are relative to."""
    import tasks.settings  # noqa: F401  before the packages that it sets
    from tasks.steps.run import job_layout
    from tasks.steps.scoring import Signals, score_shard

    os.chdir(folder)
    return score_shard(job_layout(job), job, run_id, shard, Signals(_stop, _advance))
