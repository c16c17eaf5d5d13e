"""Shards scored by threads of this process, which share its models: enough where those are slow."""

from collections.abc import Callable
from typing import Any, TypeVar

from nocturna.tasks.control import control
from nocturna.tasks.inference.device import shards_at_once as at_once
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run.runners import Signals

__all__ = ["APART", "at_once", "run", "run_alone"]

T = TypeVar("T")

APART = False


def run(compute: Compute, work: Callable[..., T], *args: Any) -> T:
    """Does it in the thread that asks."""
    return work(*args, Signals(control().stopping, control().advance))


run_alone = run
