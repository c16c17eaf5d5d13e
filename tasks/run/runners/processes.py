"""Scoring shards in processes of their own, where the Python of one could not feed a GPU.

A process loads the models for itself.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from nocturna.tasks.control import Control, control
from nocturna.tasks.inference.device import shards_at_once as at_once
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run.pool import Pool, start_pool

__all__ = ["APART", "at_once", "run", "run_alone"]

T = TypeVar("T")

APART = True

_KIND = ("scoring", "with fewer --processes or a smaller compute.batch_tokens")

_starting = threading.Lock()
_pools: "WeakKeyDictionary[Control, Pool]" = WeakKeyDictionary()


def run(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in one of the processes of a run, which are kept for the next pieces of it.

    When one of them dies all are lost, with what each had in hand.
    """
    with _starting:
        if control() not in _pools or _pools[control()].ended:
            _pools[control()] = start_pool(compute.processes or at_once(compute), *_KIND)
        pool = _pools[control()]
    return pool.run(work, *args)


def run_alone(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does work in a process that does nothing else."""
    pool = start_pool(1, *_KIND)
    try:
        return pool.run(work, *args)
    finally:
        pool.end()
