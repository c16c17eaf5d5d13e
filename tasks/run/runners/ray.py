"""Shards scored by a Ray cluster: the one that RAY_ADDRESS names, else one on this machine.

Every node has Nocturna installed and sees the output folder and the models under the same paths. A
task takes a core, or a GPU where models run on one, and its process keeps the models for the next.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from nocturna.tasks.control import Control, control
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.inference.device import pick_device
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run.runners import Died, Signals

T = TypeVar("T")

APART = True
_HEARTBEAT = 0.5
_connecting, _starting = threading.Lock(), threading.Lock()


def at_once(compute: Compute) -> int:
    """As the job says, or one for each core or GPU of the cluster.

    Raises:
        UsageError: Ray is not installed, or the cluster has nothing that could score.
    """
    if compute.workers:
        return compute.workers
    kind = _kind(compute)
    there = int(_ray().cluster_resources().get(kind, 0))
    if not there:
        raise UsageError(f"compute.runner: the Ray cluster has no {kind}; start a node with one")
    return there


def run(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in a task of Ray, which waits there for a free core or GPU."""
    ray = _ray()
    board = _board(control())
    wanted = {"num_gpus": 1} if _kind(compute) == "GPU" else {"num_cpus": 1}
    task = ray.remote(max_calls=0, max_retries=0, **wanted)(_do)
    try:
        return ray.get(task.remote(board, str(Path.cwd()), work, args))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        line = str(error).strip().splitlines()[0]
        raise Died(
            f"a worker of the Ray cluster is gone ({line}); run the same command again: it goes "
            "on where it stopped"
        ) from None


run_alone = run


def _kind(compute: Compute) -> str:
    return "CPU" if pick_device(compute.device) == "cpu" else "GPU"


def _ray() -> Any:
    """Ray, connected to its cluster."""
    with _connecting:
        return _connected()


@cache
def _connected() -> Any:
    """Connects in a thread that never ends: what Ray starts dies with the thread that did it."""
    found: Future[Any] = Future()

    def stay() -> None:
        try:
            found.set_result(_connect())
        except BaseException as error:
            found.set_exception(error)
        else:
            threading.Event().wait()

    threading.Thread(target=stay, daemon=True).start()
    return found.result()


def _connect() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray._private import worker
    except ImportError:
        raise UsageError(
            "compute.runner: Ray is not installed; install nocturna[ray], or name another runner"
        ) from None
    worker._worker_logs_enabled = False  # or deaths of workers are told on stdout, amid ours
    own: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise UsageError(f"compute.runner: no Ray cluster at {where}: {error}") from None
    return ray


class Board:
    """Where workers say what is done and read whether to stop; it lives beside who asks them."""

    def __init__(self) -> None:
        self._done, self._stop = 0.0, False

    def told(self, documents: float) -> bool:
        """Notes documents that are done; whether to stop."""
        self._done += documents
        return self._stop

    def taken(self, stop: bool) -> float:
        """Documents that are done since it was last asked."""
        done, self._done, self._stop = self._done, 0.0, self._stop or stop
        return done


_boards: dict[int, Any] = {}


def _board(run: Control) -> Any:
    """The board of a run."""
    with _starting:
        if id(run) not in _boards:
            ray = _ray()
            here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=True
            )
            board = ray.remote(num_cpus=0, scheduling_strategy=here)(Board).remote()
            _boards[id(run)] = board
            over = threading.Event()
            passing = threading.Thread(target=_pass_on, args=[ray, board, run, over], daemon=True)
            passing.start()

            def end() -> None:
                over.set()
                passing.join(2 * _HEARTBEAT)
                _boards.pop(id(run), None)
                with suppress(ray.exceptions.RayError):
                    ray.kill(board)

            run.ending.callback(end)
        return _boards[id(run)]


def _pass_on(ray: Any, board: Any, run: Control, over: threading.Event) -> None:
    last = False
    while not last:
        last = over.wait(_HEARTBEAT)
        with suppress(ray.exceptions.RayError):
            run.advance(ray.get(board.taken.remote(run.stopping()), timeout=10))


def _do(board: Any, folder: str, work: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Does the work in a worker of the cluster; relative paths are relative to `folder`."""
    try:
        os.chdir(folder)
    except OSError as error:
        import ray

        node = ray.util.get_node_ip_address()
        raise NocturnaError(
            f"{folder}: node {node} of the Ray cluster does not see it ({error.strerror}); share "
            "it with every node under the same path"
        ) from None
    with _telling(board) as signals:
        return work(*args, signals)


@contextmanager
def _telling(board: Any) -> Iterator[Signals]:
    import ray

    done: list[float] = []
    stop, over = threading.Event(), threading.Event()

    def tell() -> None:
        documents = sum(done.pop() for _ in range(len(done)))
        with suppress(ray.exceptions.RayError):
            if ray.get(board.told.remote(documents), timeout=10):
                stop.set()

    def keep_telling() -> None:
        while not over.wait(_HEARTBEAT):
            tell()

    telling = threading.Thread(target=keep_telling, daemon=True)
    telling.start()
    try:
        yield Signals(stop.is_set, done.append, threads=1)
    finally:
        over.set()
        telling.join()
        tell()
