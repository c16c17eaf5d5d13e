"""Scoring shards in processes of their own, where the Python of one could not feed a GPU.

A process loads the models for itself. It stops when it is asked to, like a thread would, and it
never outlives the process that started it, not even one that was killed.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from nocturna.tasks.control import Control, control
from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.device import shards_at_once as at_once
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run.runners import Died, Signals

__all__ = ["APART", "at_once", "run", "run_alone"]

T = TypeVar("T")

_HEARTBEAT = 0.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

APART = True


def run(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in one of the processes of a run, which are kept for the next pieces of it.

    When one of them dies all are lost, with what each had in hand.
    """
    return _done_by(_pool(compute.processes or at_once(compute), control()), work, args)


def run_alone(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in a process that does nothing else."""
    pool = _started(1, control())
    try:
        return _done_by(pool, work, args)
    finally:
        pool.end()


def _done_by(pool: "_Pool", work: Callable[..., T], args: tuple[Any, ...]) -> T:
    try:
        with _signals_held_back():
            scored = pool.executor.submit(_do, Path.cwd(), work, args)
        return scored.result()
    except (BrokenProcessPool, CancelledError):
        pool.end()
        raise Died(
            "a scoring process died, most likely for want of memory; run the same command again "
            "with fewer --processes or a smaller compute.batch_tokens: it goes on where it stopped"
        ) from None


@dataclass
class _Pool:
    executor: ProcessPoolExecutor
    stop: Any
    done: Any
    ended: bool = False

    def end(self) -> None:
        """Lets the processes go; one that still works ends with this process at the latest."""
        self.ended = True
        self.executor.shutdown(wait=False, cancel_futures=True)


_starting = threading.Lock()
_pools: "WeakKeyDictionary[Control, _Pool]" = WeakKeyDictionary()


def _pool(processes: int, run: Control) -> _Pool:
    """The processes of a run: started with its first shard, and let go when it ends."""
    with _starting:
        if run not in _pools or _pools[run].ended:
            _pools[run] = _started(processes, run)
        return _pools[run]


def _started(processes: int, run: Control) -> _Pool:
    _start_tracker()
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.SimpleQueue()
    threads = max(1, usable_cores() // processes)
    executor = ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(os.getpid(), threads, stop, done)
    )
    pool = _Pool(executor, stop, done)
    run.ending.callback(pool.end)
    threading.Thread(target=_pass_on_stops, args=[pool, run], daemon=True).start()
    threading.Thread(target=_pass_on_progress, args=[pool, run], daemon=True).start()
    return pool


def _start_tracker() -> None:
    """Python's process that frees what this one left: it need not say so on the terminal."""
    quiet = "ignore:resource_tracker"
    sys.warnoptions.append(quiet)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(quiet)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process that is started inside never gets the signals that ask to stop.

    A terminal sends them to every process; the shards in hand are stopped by the run's own.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pass_on_stops(pool: _Pool, run: Control) -> None:
    while not pool.ended:
        if run.stopping():
            pool.stop.set()
        time.sleep(_HEARTBEAT)


def _pass_on_progress(pool: _Pool, run: Control) -> None:
    # A process that was killed may hold the queue's lock for ever: nothing here waits for it.
    while not (pool.ended and pool.done.empty()):
        if pool.done.empty():
            time.sleep(_HEARTBEAT)
        else:
            run.advance(pool.done.get())


_mine: list[Signals] = []
"""Those of this process, where it was started to score."""


def _begin(parent: int, threads: int, stop: Any, done: Any) -> None:
    """What a new process does first."""
    _mine.append(Signals(stop.is_set, done.put, threads))
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process at once when its parent has died."""
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _do(folder: Path, work: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Does the work in this process; `folder` is what relative paths are relative to."""
    os.chdir(folder)
    return work(*args, _mine[0])
