"""What a person or a log sees while a run goes on and at its end; all of it on standard error."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nocturna.console import person_console
from nocturna.tasks.visible import visible

LINE_SECONDS = 60.0
"""Without a terminal: seconds between lines."""


_listeners: list[Callable[[str], None]] = []


def say(line: str) -> None:
    """One line for whoever watches; what a terminal would obey is made visible."""
    print(visible(line), file=sys.stderr, flush=True)
    for listener in tuple(_listeners):
        listener(line)


@contextmanager
def also_said_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Tells a listener every line that is said inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"nocturna: {record.getMessage()}")


def say_warnings() -> None:
    """Shows what the stages warn of as plain lines, without the engine's formatting."""
    logger = logging.getLogger("nocturna.tasks")
    logger.propagate = False
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said(level=logging.WARNING))


class Shown(Protocol):
    """Progress as a person or a log sees it."""

    def advance(self, done: float) -> None:
        """Counts documents that were done since the last call."""

    def tell(self, line: str) -> None:
        """Shows where other work stands."""


@contextmanager
def show_progress(documents: int) -> Iterator[Shown]:
    """A bar with documents, rate and time left on a terminal; a plain line a minute otherwise.

    Args:
        documents: how many there are in all.
    """
    console = person_console(stderr=True)
    if not console.is_terminal:
        yield _Lines(documents)
        return
    with _columns(console) as progress:
        yield _Bar(progress, documents)


def _columns(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _Bar:
    def __init__(self, progress: Progress, documents: int) -> None:
        self._progress = progress
        self._task = progress.add_task("scoring", total=documents, rate="")
        self._start = time.monotonic()

    def advance(self, done: float) -> None:
        self._progress.advance(self._task, done)
        passed = max(time.monotonic() - self._start, 1e-6)
        rate = f"{self._progress.tasks[0].completed / passed:,.1f} documents/s"
        self._progress.update(self._task, rate=rate, description="scoring")

    def tell(self, line: str) -> None:
        self._progress.update(self._task, description=visible(line))


class _Lines:
    """Progress as plain lines, at most one every LINE_SECONDS."""

    def __init__(self, documents: int) -> None:
        self._documents, self._done = documents, 0.0
        self._start = self._last = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, done: float) -> None:
        with self._lock:
            self._done += done
            if self._is_due():
                rate = self._done / (time.monotonic() - self._start)
                left = (self._documents - self._done) / rate if rate else 0.0
                say(
                    f"{self._done:,.0f} of {self._documents:,} documents, {rate:,.1f} a second, "
                    f"about {left / 60:,.0f} min left"
                )

    def tell(self, line: str) -> None:
        with self._lock:
            if self._is_due():
                say(line)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < LINE_SECONDS:
            return False
        self._last = now
        return True
