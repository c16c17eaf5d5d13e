"""What a running process is told and what it tells: requests to stop, and progress.

Tasks run in threads of one process and hand each other small records only, so these two signals
go past them.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tasks.errors import STOPPED, Stopped

_stop = threading.Event()
_number: list[int] = []
_inside: list[None] = []
_listeners: list[Callable[[float], None]] = []
_readers: list[Callable[[str], None]] = []


def stopping() -> bool:
    """Whether this process was asked to stop after the batch in hand."""
    return _stop.is_set()


def stop_signal() -> int | None:
    """The signal that asked this process to stop, if one did."""
    return _number[0] if _number else None


def go_on() -> None:
    """Goes on unless this process was asked to stop.

    Raises:
        Stopped: it was.
    """
    if stop_signal() is not None:
        raise Stopped(STOPPED)


def request_stop() -> None:
    """Asks every shard in hand to stop after its batch."""
    _stop.set()


def advance(documents: float) -> None:
    """Says that documents were scored; a batch may hold a part of a long one."""
    for listener in tuple(_listeners):
        listener(documents)


def tell(line: str) -> None:
    """Says in one line where work stands that `advance` does not count."""
    for reader in tuple(_readers):
        reader(line)


@contextmanager
def listening(listener: Callable[[float], None], reader: Callable[[str], None]) -> Iterator[None]:
    """Calls the listener on every `advance` inside the block, and the reader on every `tell`."""
    _listeners.append(listener)
    _readers.append(reader)
    try:
        yield
    finally:
        _listeners.remove(listener)
        _readers.remove(reader)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turns SIGTERM and Ctrl-C inside the block into a request to stop; a second one kills.

    Outside the main thread, where Python sets no handlers, it does nothing. A block inside another
    one takes over what the outer one was asked.
    """
    if not _inside:
        _stop.clear()
        _number.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        _number.append(number)
        request_stop()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)
    _inside.append(None)
    try:
        yield
    finally:
        _inside.pop()
        for number, handler in before.items():
            signal.signal(number, handler)
