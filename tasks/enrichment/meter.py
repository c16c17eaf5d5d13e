"""Shows where a long run stands, at most once a second."""

import time
from collections import Counter
from collections.abc import Callable

from nocturna.tasks.enrichment.budget import Budget
from nocturna.tasks.enrichment.limiter import Limiter
from nocturna.tasks.enrichment.prices import NANO
from nocturna.tasks.enrichment.summary_records import Halt, Outcome, Progress

Show = Callable[[Progress], None]
EVERY_S = 1.0


class Meter:
    """Counts rows, requests and calls, and passes them on with the ledger's spend."""

    def __init__(
        self, show: Show | None, total: int | None, budget: Budget, limiter: Limiter, halt: Halt
    ) -> None:
        self._show, self._total = show, total
        self._budget, self._limiter, self._halt = budget, limiter, halt
        self._statuses: Counter[str] = Counter()
        self._documents = self._answered = self._calls = self._cost = 0
        self._shown = time.monotonic()

    def call(self) -> None:
        """A call is sent."""
        self._calls += 1

    def answered(self) -> None:
        """A request has its outcome."""
        self._answered += 1
        self.tick()

    def row(self, outcome: Outcome) -> None:
        """A document has its row."""
        self._documents += 1
        self._cost += outcome.cost
        self._statuses[outcome.status] += 1

    def tick(self) -> None:
        """Shows the progress if it was not shown within the last second."""
        if time.monotonic() - self._shown >= EVERY_S:
            self.show()

    def show(self) -> None:
        """Shows the progress."""
        self._shown = time.monotonic()
        if self._show is None:
            return
        spent = self._budget.committed / NANO
        expected = None
        if self._total is not None and self._documents:
            remaining = max(0, self._total - self._documents)
            expected = spent + self._cost / NANO / self._documents * remaining
        self._show(
            Progress(
                documents=self._documents,
                total=self._total,
                answered=self._answered,
                statuses=dict(self._statuses),
                calls=self._calls,
                spent_usd=spent,
                expected_usd=expected,
                throttled_s=self._limiter.throttled_s,
                stopped=self._halt.outcome.reason if self._halt.outcome else None,
            )
        )
