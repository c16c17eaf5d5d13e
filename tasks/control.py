"""What a running process is told and what it tells: requests to stop, and progress.

Tasks run in threads of one process and hand each other small records only, so these two signals
go past them.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_stop = threading.Event()
_listeners: list[Callable[[float], None]] = []
_readers: list[Callable[[str], None]] = []


def stopping() -> bool:
    """Whether this process was asked to stop after the batch in hand."""
    return _stop.is_set()


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

    Outside the main thread, where Python sets no handlers, it does nothing.
    """
    _stop.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        request_stop()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
