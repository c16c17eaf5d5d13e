"""Shards scored by a Ray cluster: the one that RAY_ADDRESS names, else one on this machine.

Every node has Nocturna installed and sees the output folder and the models under the same paths. A
task takes a core, or a GPU where models run on one, and its process keeps the models for the next.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

from nocturna.tasks.control import Control, control
from nocturna.tasks.errors import STOPPED, NocturnaError, Stopped, UsageError
from nocturna.tasks.inference.device import pick_device
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run.runners import Died
from nocturna.tasks.run.runners._ray_board import SILENT, Watch, gone, telling
from nocturna.tasks.run.runners._ray_cluster import ray_there

T = TypeVar("T")

APART = True
_LOOK = 5.0
"""Seconds between looks at what a task that goes on says; there may be a thousand of them."""
_UNBEGUN = 5 * SILENT
"""Seconds after which a task that did not begin is handed out anew, to a node that is heard."""
_IDLE = 30 * SILENT
"""Seconds without a sign of any task after which a run ends."""

_log = logging.getLogger(__name__)


def at_once(compute: Compute) -> int:
    """As the job says, or one for each core or GPU of the cluster.

    Raises:
        UsageError: Ray is not installed, or the cluster has nothing that could score.
    """
    if compute.workers:
        return compute.workers
    kind = _kind(compute)
    there = int(ray_there().cluster_resources().get(kind, 0))
    if not there:
        raise UsageError(f"compute.runner: the Ray cluster has no {kind}; start a node with one")
    return there


def run(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in a task of Ray, which waits there for a free core or GPU.

    Raises:
        Died: its worker or its node is gone, or has said nothing for too long.
        Stopped: on request; a task that waits does not begin.
        NocturnaError: there is no cluster any more, or nothing in it begins.
    """
    if control().stopping():
        raise Stopped(STOPPED)
    ray, watch = ray_there(), _watch(control())
    task = _task(_kind(compute))
    deaths = (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
    )
    try:
        done, asked = None, time.monotonic()
        while done is None:
            done = _waited_for(watch, asked, task, (str(Path.cwd()), work, args))
            where = watch.liveliest()
            if where:
                task = task.options(scheduling_strategy=_near(where))
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except deaths as error:
        raise _died(str(error)) from None
    except ray.exceptions.RayError as error:
        raise gone(_first_line(error)) from None


run_alone = run


def _waited_for(watch: Watch, asked: float, task: Any, given: tuple[Any, ...]) -> Any:
    """The reference to what a task returned, once it has; None if it never began.

    Args:
        asked: when the work was handed out first.

    Raises:
        Died: its node says nothing any more.
        Stopped: on request, before it began.
        NocturnaError: there is no cluster any more, or nothing in it begins.
    """
    ray, name, start = ray_there(), uuid4().hex, time.monotonic()
    watch.expect(name)
    given_up = True
    started = task.remote(watch.board, name, *given)
    try:
        while not ray.wait([started], timeout=_LOOK, fetch_local=False)[0]:
            if control().stopping() and not watch.begun(name):
                raise Stopped(STOPPED)
            watch.check()
            node = watch.silent(name)
            if node:
                said = f"node {node.split()[0]} has said nothing for {SILENT:.0f} seconds"
                _log.warning("%s: what it had in hand is scored elsewhere", said)
                raise _died(said)
            now = time.monotonic()
            if now - max(asked, watch.heard) > _IDLE:
                raise gone(f"no task of this run has begun for {_IDLE / 60:.0f} minutes")
            if now - start > _UNBEGUN and not watch.begun(name):
                return None
        given_up = False
        return started
    finally:
        with suppress(ray.exceptions.RayError):
            watch.over(name, given_up)
            if given_up:
                ray.cancel(started, force=True)


def _died(why: str) -> Died:
    return Died(
        f"a worker of the Ray cluster is gone ({_first_line(why)}); run the same command again: it "
        "goes on where it stopped"
    )


def _first_line(said: object) -> str:
    return str(said).strip().splitlines()[0][:300]


@cache
def _task(kind: str) -> Any:
    """What is handed out: a task that takes a core, or a GPU."""
    takes = {"num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}
    return ray_there().remote(max_calls=0, max_retries=0, **takes)(_do)


def _near(node: str) -> Any:
    affinity = ray_there().util.scheduling_strategies.NodeAffinitySchedulingStrategy
    return affinity(node.split()[1], soft=True)


def _kind(compute: Compute) -> str:
    return "CPU" if pick_device(compute.device) == "cpu" else "GPU"


_watching = threading.Lock()
_watches: "WeakKeyDictionary[Control, Watch]" = WeakKeyDictionary()


def _watch(run: Control) -> Watch:
    """The watch over the tasks of a run."""
    with _watching:
        if run not in _watches:
            _watches[run] = Watch(run)
        return _watches[run]


def _do(board: Any, name: str, folder: str, work: Callable[..., T], args: tuple[Any, ...]) -> T:
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
    with telling(board, name) as signals:
        return work(*args, signals)
