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
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from nocturna.tasks.control import Control, control
from nocturna.tasks.errors import NocturnaError

T = TypeVar("T")

_HEARTBEAT = 0.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Signals:
    """What work in a process is asked and tells.

    Attributes:
        stop: asked before each batch whether to stop.
        advance: told how many documents were scored since it was last told.
    """

    stop: Callable[[], bool]
    advance: Callable[[float], None]


def in_process(processes: int, work: Callable[..., T], *args: Any) -> T:
    """Does work in one of so many processes of a run, which are kept for the next pieces of it.

    Args:
        work: a function of a module; called with `args` and the `Signals` of its process.

    Raises:
        NocturnaError: what it raised, or that its process died.
    """
    pool = _pool(processes, control())
    try:
        with _signals_held_back():
            scored = pool.executor.submit(_do, Path.cwd(), work, args)
        return scored.result()
    except BrokenProcessPool:
        raise NocturnaError(
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
        if run in _pools:
            return _pools[run]
        _start_tracker()
        context = multiprocessing.get_context("spawn")
        stop, done = context.Event(), context.SimpleQueue()
        executor = ProcessPoolExecutor(
            processes, context, initializer=_begin, initargs=(os.getpid(), stop, done)
        )
        pool = _pools[run] = _Pool(executor, stop, done)
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


_stop: Callable[[], bool]
_advance: Callable[[float], None]


def _begin(parent: int, stop: Any, done: Any) -> None:
    """What a new process does first."""
    global _stop, _advance
    _stop, _advance = stop.is_set, done.put
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process at once when its parent has died."""
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _do(folder: Path, work: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Does the work in this process; `folder` is what relative paths are relative to."""
    os.chdir(folder)
    return work(*args, Signals(_stop, _advance))
