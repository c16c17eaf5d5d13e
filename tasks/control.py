"""What a run is told and what it tells: requests to stop, and progress.

Steps run in threads and hand each other small records only, so these go past them. Every run has a
control of its own; a thread finds it by the context that it was started with, and code that hands
work to threads of its own takes the control along.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from nocturna.tasks.errors import STOPPED, Stopped
from nocturna.tasks.leaving import leave, leave_soon

ASKING = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a run to stop."""


class Control:
    """The requests to one run, and those who hear how far it is.

    Attributes:
        signal: the one that asked it to stop, if one did.
        ahead: steps that were begun before their turn, by the name of their task.
        deaf: whether the engine failed to take something that it was told.
        ending: what has to end with the run, such as processes that score for it.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.ahead: dict[str, Future[Any]] = {}
        self.deaf = False
        self.ending = ExitStack()
        self._stop = threading.Event()
        self._listeners: list[Callable[[float], None]] = []
        self._readers: list[Callable[[str], None]] = []

    def stopping(self) -> bool:
        """Whether the run was asked to stop after the batch in hand."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Asks every shard in hand to stop after its batch."""
        self._stop.set()

    def advance(self, documents: float) -> None:
        """Says that documents were scored; a batch may hold a part of a long one."""
        for listener in tuple(self._listeners):
            listener(documents)

    def tell(self, line: str) -> None:
        """Says in one line where work stands that `advance` does not count."""
        for reader in tuple(self._readers):
            reader(line)

    @contextmanager
    def listening(
        self, listener: Callable[[float], None], reader: Callable[[str], None]
    ) -> Iterator[None]:
        """Calls the listener on every `advance` inside the block, the reader on every `tell`."""
        self._listeners.append(listener)
        self._readers.append(reader)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._readers.remove(reader)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """A handler: the first signal asks to stop, the next one ends this process at once."""
        if self.signal is not None:
            leave(number, frame)
        self.signal = number
        self.request_stop()
        leave_soon(number)


_outside = Control()
_current: ContextVar[Control] = ContextVar("nocturna_control", default=_outside)


def control() -> Control:
    """The control of the run that this thread works for."""
    return _current.get()


def stopping() -> bool:
    """Whether this run was asked to stop after the batch in hand."""
    return control().stopping()


def request_stop() -> None:
    """Asks every shard of this run to stop after its batch."""
    control().request_stop()


def listening(
    listener: Callable[[float], None], reader: Callable[[str], None]
) -> AbstractContextManager[None]:
    """Calls the listener on every `advance` of this run, the reader on every `tell`."""
    return control().listening(listener, reader)


def go_on() -> None:
    """Goes on with work that is done in pieces, unless a signal asked the run to stop.

    Raises:
        Stopped: one did.
    """
    if control().signal is not None:
        raise Stopped(STOPPED)


@contextmanager
def stop_on_signals() -> Iterator[Control]:
    """Gives the run inside the block a control of its own, which SIGTERM and Ctrl-C ask to stop.

    A block inside another one is part of the same run, and takes the signals back from whoever
    took them in between. Outside the main thread, where Python sets no handlers, no signal stops.

    Raises:
        Stopped: from the block; its exit code says which signal it was.
    """
    if control() is not _outside:
        with _signals_to(control()):
            yield control()
        return
    mine = Control()
    token = _current.set(mine)
    try:
        with _signals_to(mine), mine.ending:
            yield mine
    except Stopped as error:
        if mine.signal is not None:
            error.exit_code = 128 + mine.signal
        raise
    finally:
        _current.reset(token)


@contextmanager
def _signals_to(run: Control) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, run.ask) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
