"""Processes that work for a run.

They stop when the run is asked to, like threads would, and never outlive the process that started
them, not even one that was killed.
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

from nocturna.tasks.control import Control, control
from nocturna.tasks.cores import usable_cores
from nocturna.tasks.run.runners import Died, Signals

T = TypeVar("T")

_HEARTBEAT = 0.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Pool:
    """Processes of a run, which end with it.

    Attributes:
        kind: what they do, in a word.
        mend: what may keep the next ones alive.
        ended: whether they were let go, or one of them died, which ends all.
    """

    kind: str
    mend: str
    executor: ProcessPoolExecutor
    stop: Any
    done: Any
    ended: bool = False

    def run(self, work: Callable[..., T], *args: Any) -> T:
        """Does work in one of them: a function of a module, called with `args` and its `Signals`.

        Raises:
            Died: the process that did it is gone, and with it what the others had in hand.
        """
        try:
            with _signals_held_back():
                given = self.executor.submit(_do, Path.cwd(), work, args)
            return given.result()
        except (BrokenProcessPool, CancelledError):
            self.end()
            raise Died(
                f"a {self.kind} process died, most likely for want of memory; run the same command "
                f"again {self.mend}: it goes on where it stopped"
            ) from None

    def end(self) -> None:
        """Lets the processes go; one that still works ends with this process at the latest."""
        self.ended = True
        self.executor.shutdown(wait=False, cancel_futures=True)


def start_pool(processes: int, kind: str, mend: str) -> Pool:
    """Starts processes for the run that this thread works for; as `Pool` says."""
    run = control()
    _start_tracker()
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.SimpleQueue()
    threads = max(1, usable_cores() // processes)
    executor = ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(os.getpid(), threads, stop, done)
    )
    pool = Pool(kind, mend, executor, stop, done)
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


def _pass_on_stops(pool: Pool, run: Control) -> None:
    while not pool.ended:
        if run.stopping():
            pool.stop.set()
        time.sleep(_HEARTBEAT)


def _pass_on_progress(pool: Pool, run: Control) -> None:
    # A process that was killed may hold the queue's lock for ever: nothing here waits for it.
    while not (pool.ended and pool.done.empty()):
        if pool.done.empty():
            time.sleep(_HEARTBEAT)
        else:
            run.advance(pool.done.get())


_mine: list[Signals] = []
"""Those of this process, where it was started to work for a run."""


def _begin(parent: int, threads: int, stop: Any, done: Any) -> None:
    """What a new process does first."""
    _mine.append(Signals(stop.is_set, done.put, threads))
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    threading.Thread(target=_stop_with, args=[stop], daemon=True).start()


def _stop_with(stop: Any) -> None:
    """Stops what this process does in pieces when the run was asked to stop."""
    stop.wait()
    control().signal = signal.SIGTERM


def _end_with(parent: int) -> None:
    """Ends this process at once when its parent has died."""
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _do(folder: Path, work: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Does the work in this process; `folder` is what relative paths are relative to."""
    os.chdir(folder)
    return work(*args, _mine[0])


def plainly(work: Callable[..., T], *args: Any) -> T:
    """Does work that asks nothing and tells nothing."""
    return work(*args[:-1])
