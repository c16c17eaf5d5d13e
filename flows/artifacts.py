"""What a run shows in the engine's own page: how far it is, and at the end its figures.

The engine only watches: every call to it is made aside, waited for a few seconds and, once one
failed, not made again in this run. Names and counts are shown, no text of documents.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import asdict
from typing import Any

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext, TaskRunContext

from nocturna.tasks.control import control
from nocturna.tasks.results.comparison import Compared, compared
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.report import Summary
from nocturna.tasks.visible import visible

CALL_SECONDS = 5.0
"""How long one call to the engine may take."""

UPDATE_SECONDS = 20.0
"""Between two updates of a progress bar."""

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$-])")


class _Engine:
    """Calls to the engine, if this run has one, each in a thread of its own.

    Which engine that is stands in the context of the run; whoever calls may be in another thread.
    """

    def __init__(self) -> None:
        self._context = copy_context()
        self._run = control()
        told = bool(FlowRunContext.get() or TaskRunContext.get())
        self._works = told and not self._run.deaf

    def call(self, call: Callable[[], Any], wait: bool = True) -> Any:
        """Makes a call and returns what it returns; None where it fails or takes too long."""
        if not self._works:
            return None
        found: list[Any] = []
        context = self._context.copy()

        def make() -> None:
            try:
                found.append(context.run(call))
            except BaseException:
                self._stop()

        thread = threading.Thread(target=make, daemon=True)
        thread.start()
        if wait:
            thread.join(CALL_SECONDS)
            if thread.is_alive():
                self._stop()
        return found[0] if found else None

    def _stop(self) -> None:
        self._works, self._run.deaf = False, True


@contextmanager
def progress_bar(documents: int) -> Iterator[tuple[Callable[[float], None], Callable[[str], None]]]:
    """A bar on the page of the run, while the block runs.

    Yields what to call when documents are done, and with a line about other work.

    Args:
        documents: how many there are to score.
    """
    engine, start = _Engine(), time.monotonic()
    bar = engine.call(lambda: create_progress_artifact(0.0, description="nothing scored yet"))
    done, shown, lock = 0.0, start, threading.Lock()

    def move(line: str | None = None) -> None:
        nonlocal shown
        now = time.monotonic()
        if bar is None or now - shown < UPDATE_SECONDS:
            return
        shown = now
        text = (
            line or f"{done:,.0f} of {documents:,} documents, {done / (now - start):,.1f} a second"
        )
        share = round(min(done / documents if documents else 1.0, 1.0) * 100, 1)
        engine.call(lambda: update_progress_artifact(bar, share, visible(text)), wait=False)

    def advance(more: float) -> None:
        nonlocal done
        with lock:
            done += more
            move()

    def tell(line: str) -> None:
        with lock:
            move(line)

    yield advance, tell
    if bar is not None:
        text = f"all {documents:,} documents"
        engine.call(lambda: update_progress_artifact(bar, 100.0, text))


def report(layout: Layout, summary: Summary) -> None:
    """Leaves the figures of a run in the engine's own page."""
    leave_figures(summary, compared(layout, summary.run_id))


def leave_figures(summary: Summary, rows: list[Compared]) -> None:
    """The figures of a published run as a table, and what a person should look at as a text."""
    key = "nocturna-" + re.sub(r"[^a-z0-9]+", "-", summary.job.lower()).strip("-")
    table = [{name: visible(value) for name, value in asdict(row).items()} for row in rows]
    run = f"Run {summary.run_id} of {summary.job}"
    engine = _Engine()
    engine.call(lambda: create_table_artifact(table, key=key, description=run))
    notes = as_markdown(summary)
    engine.call(lambda: create_markdown_artifact(notes, key=f"{key}-notes", description=run))


def as_markdown(summary: Summary) -> str:
    """The warnings of a run and where its rows are."""
    lines = [f"## {_plain(summary.job)}: snapshot {summary.snapshot}", ""]
    lines += [f"- **warning** {_plain(warning)}" for warning in summary.warnings]
    if not summary.warnings:
        lines.append("No warnings.")
    lines += ["", f"Rows for readers: `{_code(summary.results)}`"]
    if summary.report:
        lines += ["", f"The report, a page: `{_code(summary.report)}`"]
    if summary.quarantine:
        lines += ["", f"Rows that could not be read: `{_code(summary.quarantine)}`"]
    for place in summary.sinks.values():
        lines += ["", f"The same rows elsewhere: `{_code(str(place['uri']))}`"]
    lines += ["", f"The whole story: `nocturna runs show {summary.run_id}`"]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A user's words inside Markdown: no mark of it has a meaning."""
    return _MARKS.sub(r"\\\1", visible(text))


def _code(text: str) -> str:
    return visible(text).replace("`", "'")
