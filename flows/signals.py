"""Signals that ask a standing command to stop, handed on as messages."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_to_stop(tell: Callable[[int], None]) -> Iterator[None]:
    """Hands the number of each SIGTERM and Ctrl-C on, instead of ending the process.

    Args:
        tell: must be safe to call at any moment, such as `SimpleQueue.put`.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        tell(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
