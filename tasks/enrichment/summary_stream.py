"""Summaries for a stream of documents, one row each, whatever happens on the way."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from nocturna.tasks.enrichment.budget import Budget
from nocturna.tasks.enrichment.cache import Cache
from nocturna.tasks.enrichment.limiter import Limiter
from nocturna.tasks.enrichment.meter import Meter, Show
from nocturna.tasks.enrichment.modes import Engine
from nocturna.tasks.enrichment.providers import KeyProvider, key_from_environment, provider_of
from nocturna.tasks.enrichment.readiness import check_settings
from nocturna.tasks.enrichment.redact import redactor_for
from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import DocumentText, Halt, Timing
from nocturna.tasks.enrichment.tools import Work
from nocturna.tasks.enrichment.window import Window, windows
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Summaries

T = TypeVar("T")

WINDOW = 1_000
"""Documents taken in hand together online; a batch window fills one job."""


USUAL = Timing()


def summarise(
    documents: Iterable[DocumentText],
    settings: Summaries,
    *,
    language: str,
    state_folder: Path,
    run_id: str,
    progress: Show | None = None,
    stop: Callable[[], bool] = lambda: False,
    total: int | None = None,
    key_provider: KeyProvider | None = None,
    timing: Timing = USUAL,
) -> Iterator[pa.Table]:
    """Summarises documents; yields tables with `SUMMARY_SCHEMA` in the order of the documents.

    Args:
        documents: read as needed, a window at a time.
        language: the job's language (ISO 639), for summaries unless the settings name another.
        state_folder: local folder of cache, ledger and batch jobs; made if missing.
        run_id: the ledger's name; a resumed run with the same one goes on with its budget.
        progress: called about once a second, and at the end.
        stop: asked often; once true no call is begun, those in hand are awaited and kept.
        total: documents to come, if known, for the expected spend.
        key_provider: returns the key, called before the first call; the environment's if none.

    Raises:
        UsageError: before any work, if the settings cannot be used (see `check_settings`).
        NocturnaError: if the state folder cannot be read or written.
        Stopped: after `stop()` turned true; every answer is kept and the run can be resumed.
    """
    key_provider = key_provider or key_from_environment(settings)
    check_settings(settings, key_provider, language)
    redact = redactor_for(settings, language)
    spoken = settings.language or language
    size = settings.batch_size if settings.mode == "batch" else WINDOW
    taken = windows(documents, size, settings, spoken, redact)
    return _run(
        taken, settings, spoken, state_folder, run_id, progress, stop, total, key_provider, timing
    )


def _run(
    taken: Iterator[Window],
    settings: Summaries,
    language: str,
    state_folder: Path,
    run_id: str,
    progress: Show | None,
    stop: Callable[[], bool],
    total: int | None,
    key_provider: KeyProvider,
    timing: Timing,
) -> Iterator[pa.Table]:
    try:
        with State(state_folder) as state, asyncio.Runner() as runner:
            budget = Budget(state, run_id, settings.max_usd or 0)
            limiter = Limiter(
                settings.requests_per_minute,
                settings.tokens_per_minute,
                timing.backoff,
                timing.longest_backoff,
            )
            halt = Halt()
            work = Work(
                settings=settings,
                language=language,
                run_id=run_id,
                state=state,
                cache=Cache(state, run_id),
                budget=budget,
                limiter=limiter,
                meter=Meter(progress, total, budget, limiter, halt),
                halt=halt,
                client=provider_of(settings).Client(settings, key_provider),
                timing=timing,
                stop=stop,
            )
            with closing(Engine(work, runner)) as engine:
                for window in _answered(taken, engine):
                    yield window.table(work.meter)
                    work.meter.tick()
                work.meter.show()
    except sqlite3.Error as error:
        raise NocturnaError(f"{state_folder}: cannot keep the summaries' state: {error}") from None


def _answered(taken: Iterator[Window], engine: Engine) -> Iterator[Window]:
    """Takes windows through their rounds of requests; batch jobs of many windows run at once.

    The first round asks for documents and parts, the second for what joins the parts; only
    documents of thousands of parts need more.
    """
    first = _ahead(map(engine.started, taken), engine.windows_ahead)
    second = _ahead(map(engine.started, map(engine.finished, first)), engine.windows_ahead)
    for window in map(engine.finished, second):
        while window.requests():
            engine.finished(engine.started(window))
        yield window


def _ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """The same items, each held back until `count` later ones have been made."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting
