"""A step of a flow: a function that is tried again where what it failed of may pass by itself.

Nothing here knows an engine: with one, a flow makes a task run of each step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from nocturna.tasks.errors import NocturnaError, Transient

P = ParamSpec("P")
T = TypeVar("T")

AGAIN = 3
"""How often a step is tried again."""


@dataclass(frozen=True)
class Step(Generic[P, T]):
    """A function under the name by which an engine shows it.

    Attributes:
        run_name: of one call of it, with parameters in braces; the engine's own where None.
    """

    function: Callable[P, T]
    name: str
    run_name: str | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Does it; what may pass is tried again after some seconds."""
        from tenacity import (
            Retrying,
            retry_if_exception,
            stop_after_attempt,
            wait_exponential_jitter,
        )

        attempts = Retrying(
            stop=stop_after_attempt(1 + AGAIN),
            wait=wait_exponential_jitter(initial=2, max=16, jitter=1),
            retry=retry_if_exception(passes),
            reraise=True,
        )
        return attempts(self.function, *args, **kwargs)


def step(name: str, run_name: str | None = None) -> Callable[[Callable[P, T]], Step[P, T]]:
    """Makes a step of a function."""
    return lambda function: Step(function, name, run_name)


def passes(error: Any) -> bool:
    """Whether a failure may pass by itself: storage and network may recover, all else will not."""
    if isinstance(error, NocturnaError):
        return isinstance(error, Transient)
    return isinstance(error, ConnectionError | TimeoutError)
