"""What the engines of a stage share."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from nocturna.tasks.enrichment.budget import Budget
from nocturna.tasks.enrichment.cache import Cache
from nocturna.tasks.enrichment.limiter import Limiter
from nocturna.tasks.enrichment.meter import Meter
from nocturna.tasks.enrichment.providers import Client
from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import Halt, Timing
from nocturna.tasks.job.job import Summaries


@dataclass(frozen=True)
class Work:
    """One run of the stage: its settings, its memory, its budget and its line to the service."""

    settings: Summaries
    language: str
    run_id: str
    state: State
    cache: Cache
    budget: Budget
    limiter: Limiter
    meter: Meter
    halt: Halt
    client: Client
    timing: Timing
    stop: Callable[[], bool]

    def idle(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.halt.outcome is not None or self.stop()


async def nap(seconds: float, give_up: Callable[[], bool]) -> None:
    """Sleeps, but not past the moment when there is nothing to wait for."""
    end = time.monotonic() + seconds
    while not give_up() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.25))
