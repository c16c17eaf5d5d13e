"""Ending this process because a signal asks for it: with a line and an exit code, at once.

What lasts is on the disk at any moment, so nothing has to be put in order first; processes that
belong to this one end with it by themselves.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from nocturna.tasks.errors import STOPPED

GRACE_SECONDS = 10.0
"""What a process that was asked to stop may still take, for its batch in hand and for the rest."""

_SHOW_CURSOR = "\x1b[?25h"
_PARTING_SECONDS = 2.0
_ours: list[bool] = []
_partings: list[Callable[[], object]] = []


def leave_on_signals() -> None:
    """Makes this process the `nocturna` command: it ends where a signal asks it to.

    Elsewhere, in a notebook say, the process is not ours to end: a run is asked to stop, and that
    is all.
    """
    _ours[:] = [True]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def leave(number: int, frame: FrameType | None = None) -> None:
    """Ends this process now, as a handler of a signal or for one."""
    if not _ours:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    cursor = f"{_SHOW_CURSOR}\r" if os.isatty(2) else ""
    with suppress(OSError):
        # Past Python's buffers: the thread that was interrupted may be writing to them.
        os.write(2, f"{cursor}nocturna: {STOPPED}\n".encode())
    os._exit(128 + number)


def leave_soon(number: int) -> None:
    """Ends this process if it is still there when its grace is over: its batch took too long."""
    if _ours:
        threading.Thread(target=_leave_later, args=[number], daemon=True).start()


@contextmanager
def parting_word(say: Callable[[], object]) -> Iterator[None]:
    """Has something said, for two seconds at most, where the grace ends inside the block."""
    _partings.append(say)
    try:
        yield
    finally:
        _partings.remove(say)


def _leave_later(number: int) -> None:
    time.sleep(GRACE_SECONDS)
    for say in tuple(_partings):
        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        saying.join(_PARTING_SECONDS)
    leave(number)
