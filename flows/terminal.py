"""What a person or a log sees while a run goes on and at its end; all of it on standard error."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

LINE_SECONDS = 60.0
"""Without a terminal: seconds between lines."""


def say(line: str) -> None:
    """One line for whoever watches."""
    print(line, file=sys.stderr, flush=True)


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"nocturna: {record.getMessage()}")


def say_warnings() -> None:
    """Shows what the stages warn of as plain lines, without the engine's formatting."""
    logger = logging.getLogger("tasks")
    logger.propagate = False
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said(level=logging.WARNING))


@contextmanager
def show_progress(documents: int) -> Iterator[Callable[[float], None]]:
    """A bar with documents, rate and time left on a terminal; a plain line a minute otherwise.

    Args:
        documents: how many there are in all.

    Yields:
        A function to call with the number of documents done since the last call.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("scoring", total=documents, rate="")
            start = time.monotonic()

            def advance(done: float) -> None:
                bar.advance(task, done)
                passed = max(time.monotonic() - start, 1e-6)
                bar.update(task, rate=f"{bar.tasks[0].completed / passed:,.1f} documents/s")

            yield advance
            bar.update(task, completed=documents)
    else:
        yield _Lines(documents).advance


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _Lines:
    """Progress as plain lines, at most one every LINE_SECONDS."""

    def __init__(self, documents: int) -> None:
        self._documents, self._done = documents, 0.0
        self._start = self._last = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, done: float) -> None:
        with self._lock:
            self._done += done
            now = time.monotonic()
            if now - self._last < LINE_SECONDS:
                return
            self._last = now
            rate = self._done / (now - self._start)
            left = (self._documents - self._done) / rate if rate else 0.0
            say(
                f"{self._done:,.0f} of {self._documents:,} documents, {rate:,.1f} a second, "
                f"about {left / 60:,.0f} min left"
            )
