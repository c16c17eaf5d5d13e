"""One face for the three modes: a window of requests is started, and later finished."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from nocturna.tasks.enrichment.batch import Batch
from nocturna.tasks.enrichment.jobs import Jobs
from nocturna.tasks.enrichment.online import Online
from nocturna.tasks.enrichment.prices import NANO
from nocturna.tasks.enrichment.providers import provider_of
from nocturna.tasks.enrichment.summary_records import Outcome, Request
from nocturna.tasks.enrichment.tools import Work
from nocturna.tasks.enrichment.window import Window
from nocturna.tasks.errors import Stopped

JOBS_AT_ONCE = 50
"""Batch jobs under way at once; the service allows 100."""


class Engine:
    """Runs the asynchronous engines for the synchronous pipeline.

    Attributes:
        windows_ahead: windows to start before the first is finished.
    """

    def __init__(self, work: Work, runner: asyncio.Runner) -> None:
        self._work, self._runner = work, runner
        has_batch = "batch" in provider_of(work.settings).PRICES.share_of_online
        self._batch = Batch(work) if has_batch else None
        self._online = None if work.settings.mode == "batch" else Online(work, work.settings.mode)
        self.windows_ahead = JOBS_AT_ONCE - 1 if self._online is None else 0
        jobs = Jobs(work.state)
        jobs.sweep()
        if self._batch is not None and jobs.any():
            runner.run(self._batch.collect())

    def started(self, window: Window) -> Window:
        """Sends what a batch window asks for; online there is nothing to do ahead."""
        if self._online is None and self._batch is not None:
            self._runner.run(self._batch.start(window.requests()))
        return window

    def finished(self, window: Window) -> Window:
        """Brings a window the outcomes of its requests.

        Raises:
            Stopped: if there was a request to stop, after the calls in hand were answered.
        """
        requests = window.requests()
        outcomes = self._runner.run(self._answers(requests)) if requests else {}
        if any(request.key not in outcomes for request in requests):
            self._work.meter.show()
            spent = self._work.budget.committed / NANO
            raise Stopped(
                f"summaries stopped on request after {spent:.6f} USD; every answer is kept, "
                "run again to go on"
            )
        window.take(outcomes)
        return window

    def _answers(self, requests: Sequence[Request]) -> Coroutine[Any, Any, dict[str, Outcome]]:
        if self._online is not None:
            return self._online.answer(requests)
        assert self._batch is not None, "settings are checked before any work"
        return self._batch.finish(requests)

    def close(self) -> None:
        """Closes the connections to the service."""
        self._runner.run(self._work.client.close())
