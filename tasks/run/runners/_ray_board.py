"""What the tasks of a run and the command that waits for them say to each other."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nocturna.tasks.control import Control
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.run.runners import Signals
from nocturna.tasks.run.runners._ray_cluster import head_answers, ray_there, where

SILENT = 60.0
"""Seconds for which a task may say nothing before it is given up; Ray gives a node as long."""

_HEARTBEAT, _ANSWER = 0.5, 10.0
_HEAD = 45.0
"""Seconds without an answer of the head; after 60 Ray would abort the command."""


class Board:
    """Where tasks say what is done and read whether to stop; it lives beside who waits for them."""

    def __init__(self) -> None:
        self._done, self._stop = 0.0, False
        self._heard: dict[str, tuple[float, str]] = {}
        self._given_up: set[str] = set()

    def told(self, task: str, node: str, documents: float) -> bool:
        """Notes that a task is there and the documents that it has done; whether it shall stop."""
        if task in self._given_up:
            return True
        self._heard[task] = time.monotonic(), node
        self._done += documents
        return self._stop

    def over(self, task: str, given_up: bool) -> None:
        """Forgets a task, or hears no more of it."""
        self._heard.pop(task, None)
        if given_up:
            self._given_up.add(task)

    def taken(self, stop: bool) -> tuple[float, dict[str, tuple[float, str]]]:
        """Documents done since it was last asked; for how long each task was silent, and where."""
        done, self._done, self._stop = self._done, 0.0, self._stop or stop
        now = time.monotonic()
        return done, {task: (now - at, node) for task, (at, node) in self._heard.items()}


class Watch:
    """What the command knows of the tasks of a run.

    Attributes:
        board: the actor that they tell.
        heard: when a task was heard last.
    """

    def __init__(self, run: Control) -> None:
        ray = ray_there()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        actor = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Board)
        self.board = actor.remote()
        self.heard = time.monotonic()
        self._read = self._answered = self.heard
        self._tasks: dict[str, tuple[float, str]] = {}
        self._wanted: set[str] = set()
        self._spoken = False
        self._over = threading.Event()
        self._passing = threading.Thread(target=self._pass_on, args=[ray, run], daemon=True)
        self._passing.start()
        threading.Thread(target=self._look_for_head, daemon=True).start()
        run.ending.callback(self._end, ray)

    def expect(self, task: str) -> None:
        """Listens for a task from now on."""
        self._wanted.add(task)

    def over(self, task: str, given_up: bool = False) -> None:
        """Listens no more; a task that is given up stops as soon as it hears of it."""
        self._wanted.discard(task)
        self._tasks.pop(task, None)
        self.board.over.remote(task, given_up)

    def begun(self, task: str) -> bool:
        """Whether a task was ever heard."""
        return task in self._tasks

    def silent(self, task: str) -> str | None:
        """The node of a task that began and has said nothing for too long."""
        at, node = self._tasks.get(task, (self._read, ""))
        return node if self._read - at > SILENT else None

    def liveliest(self) -> str | None:
        """The node that was heard last, if that is not long ago."""
        at, node = max(list(self._tasks.values()), default=(0.0, ""))
        return node if self._read - at < SILENT else None

    def check(self) -> None:
        """Looks whether there still is a cluster.

        Raises:
            NocturnaError: there is none.
        """
        now = time.monotonic()
        if now - self._answered > _HEAD:
            raise gone(f"its head has not answered for {_HEAD:.0f} seconds")
        patience = 2 * SILENT if self._spoken else 10 * SILENT  # a busy machine starts slowly
        if now - self._read > patience:
            raise gone(f"this machine's node has not answered for {patience:.0f} seconds")

    def _pass_on(self, ray: Any, run: Control) -> None:
        last = False
        while not last:
            last = self._over.wait(_HEARTBEAT)
            with suppress(ray.exceptions.RayError):
                taken = self.board.taken.remote(run.stopping())
                done, tasks = ray.get(taken, timeout=_ANSWER)
                self._read, self._spoken = time.monotonic(), True
                for task in self._wanted & tasks.keys():
                    ago, node = tasks[task]
                    self._tasks[task] = (self._read - ago, node)
                    self.heard = max(self.heard, self._read - ago)
                run.advance(done)

    def _look_for_head(self) -> None:
        while not self._over.wait(_HEARTBEAT):
            if head_answers(_ANSWER):
                self._answered = time.monotonic()

    def _end(self, ray: Any) -> None:
        self._over.set()
        self._passing.join(2 * _HEARTBEAT)
        with suppress(ray.exceptions.RayError):
            ray.kill(self.board)


def gone(why: str) -> NocturnaError:
    """The line that says that there is no cluster any more, and how to go on."""
    return NocturnaError(
        f"the Ray cluster at {where()} is gone: {why}; start it again and run the same command: "
        "it goes on with the shards that are done"
    )


@contextmanager
def telling(board: Any, task: str) -> Iterator[Signals]:
    """The signals of a task, which says that it is there as long as the block runs."""
    import ray

    node = f"{ray.util.get_node_ip_address()} {ray.get_runtime_context().get_node_id()}"
    done: list[float] = []
    stop, over = threading.Event(), threading.Event()

    def tell() -> None:
        documents = sum(done.pop() for _ in range(len(done)))
        with suppress(ray.exceptions.RayError):
            if ray.get(board.told.remote(task, node, documents), timeout=_ANSWER):
                stop.set()

    def keep_telling() -> None:
        tell()
        while not over.wait(_HEARTBEAT):
            tell()

    thread = threading.Thread(target=keep_telling, daemon=True)
    thread.start()
    try:
        yield Signals(stop.is_set, done.append, threads=1)
    finally:
        over.set()
        thread.join()
        tell()
