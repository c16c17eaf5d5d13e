"""Where the shards of a run are scored, a file each: only there is one named.

A runner is a module, here or under an entry point of the group `nocturna.runners`, with

- `APART`: whether shards are scored in other processes than this one, which load models themselves.
- `at_once(compute)`: how many shards are scored at the same time.
- `run(compute, work, *args)`: does a piece of work, a function of a module that is called with
  `args` and the `Signals` of where it is done; gives what it returned, or raises what it raised;
  `Died` where the process that did it is gone. Called from as many threads as `at_once` says.
- `run_alone(compute, work, *args)`: the same in a process whose death takes no other work along.

What it hands over are paths and small records: shards and results lie in the output folder, which
every machine that scores sees under the same path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.inference.device import scoring_processes
from nocturna.tasks.job.job import Compute
from nocturna.tasks.registry import registered

T = TypeVar("T")

GROUP = "nocturna.runners"

_HERE, _APART = "threads", "processes"


class Died(NocturnaError):
    """The process that did a piece of work is gone, most likely killed for want of memory."""


@dataclass(frozen=True)
class Signals:
    """What work is asked and tells, wherever it is done.

    Attributes:
        stop: asked before each batch whether to stop.
        advance: told how many documents were scored since it was last told.
        threads: that the work has to itself where the machine is shared out by others than us.
    """

    stop: Callable[[], bool]
    advance: Callable[[float], None]
    threads: int | None = None


class Runner(Protocol):
    """What a module in this folder offers."""

    APART: bool

    def at_once(self, compute: Compute) -> int: ...

    def run(self, compute: Compute, work: Callable[..., T], *args: Any) -> T: ...

    def run_alone(self, compute: Compute, work: Callable[..., T], *args: Any) -> T: ...


def runners() -> dict[str, Runner]:
    """Every runner by its name."""
    return cast(dict[str, Runner], registered(__name__, GROUP))


def runner_of(compute: Compute) -> Runner:
    """The runner that a job names, or that goes with its processes.

    Raises:
        UsageError: there is none of that name.
    """
    name = compute.runner or (_APART if scoring_processes(compute) > 1 else _HERE)
    if name not in runners():
        raise UsageError(f"compute.runner: no {name!r} here; there are {', '.join(runners())}")
    return runners()[name]
