"""Asks for many requests at once in batch jobs: half the price, within a day."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nocturna.tasks.enrichment.batch_job import BatchJobs
from nocturna.tasks.enrichment.booking import Booking
from nocturna.tasks.enrichment.jobs import Job, Jobs, deadline_in
from nocturna.tasks.enrichment.online import Online
from nocturna.tasks.enrichment.prices import NANO, most_cost, price_of
from nocturna.tasks.enrichment.summary_records import Outcome, Request
from nocturna.tasks.enrichment.token_bounds import answer_limit
from nocturna.tasks.enrichment.tools import Work, nap

LEFT_WITHOUT = frozenset({"error", "invalid_output"})
"""Statuses that the online fall-back may still mend."""

LEAST_SHARE = 10
"""A further job for what the budget held back at first has a tenth of a full one at least: each may
take a day."""


class Batch:
    """Answers requests by batch jobs, within the budget.

    Every job is on record before anything is sent, and its requests are claimed by the job, not by
    this process: whoever needs one of them later waits for the job, or takes it over.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._jobs = Jobs(work.state)
        self._booking = Booking(work, self._jobs)
        self._lives = BatchJobs(work, self._jobs, self._booking)
        self._price = price_of(work.settings, "batch")

    async def collect(self) -> None:
        """Settles the finished jobs of earlier processes."""
        await self._lives.collect()

    async def start(self, requests: Sequence[Request]) -> None:
        """Sends what is not answered or claimed yet, as far as the budget allows."""
        await self._submit({request.key: request for request in requests}.values())

    async def finish(self, requests: Sequence[Request]) -> dict[str, Outcome]:
        """Waits for an outcome for each request, by key.

        After `stop()` turned true, requests without an outcome are missing.
        """
        left = {request.key: request for request in requests}
        outcomes: dict[str, Outcome] = {}
        while left:
            for key in list(left):
                outcome = self._booking.verdicts.pop(key, None) or self._work.cache.get(key)
                if outcome is not None:
                    outcomes[key] = outcome
                    del left[key]
            if self._work.idle():
                halted = self._work.halt.outcome
                return outcomes | (dict.fromkeys(left, halted) if halted else {})
            await self._advance(left, outcomes)
        if self._work.settings.batch_fallback == "online":
            await self._mend(requests, outcomes)
        return outcomes

    async def _advance(self, left: dict[str, Request], outcomes: dict[str, Outcome]) -> None:
        """Waits for a job that has some of the requests, or sends those that no one has."""
        for key in left:
            claim = self._work.cache.holder(key)
            if claim.job:
                await self._lives.wait(claim.job)
                return
        if not left or await self._submit(
            left.values(), self._work.settings.batch_size // LEAST_SHARE
        ):
            return
        if pending := self._jobs.pending():
            await self._lives.wait(pending)
            return
        for key, request in list(left.items()):
            if self._work.cache.claim(key).ours:
                self._work.cache.release(key)
                if self._work.cache.get(key) is None and key not in self._booking.verdicts:
                    outcomes[key] = Outcome("skipped_budget", self._over_budget(request))
                    del left[key]
        if left:
            await nap(self._work.timing.claim_poll, self._work.idle)

    async def _submit(self, requests: Iterable[Request], least: int = 1) -> bool:
        """Sends what is free and can be paid for, in jobs of `least` requests or all that are free;
        True if any was sent."""
        free = [
            request
            for request in requests
            if request.key not in self._booking.verdicts
            and self._work.cache.get(request.key) is None
        ]
        sent = False
        size = self._work.settings.batch_size
        for start in range(0, len(free), size):
            if self._work.idle():
                break
            job = self._prepare(free[start : start + size], least)
            if job is not None:
                if not await self._lives.launch(job):
                    break
                sent = True
        return sent

    def _prepare(self, requests: Sequence[Request], least: int) -> Job | None:
        """Claims and reserves requests and records them as a job, all or nothing."""
        work = self._work
        job = Job(
            id=f"nocturna-{secrets.token_hex(10)}",
            run_id=work.run_id,
            price=self._price,
            state="prepared",
            uploads=(),
            remote=None,
            deadline=deadline_in(work.settings.batch_deadline_hours),
            language=work.language,
        )
        with work.state.transaction():
            calls: dict[str, int] = {}
            free = [request for request in requests if work.cache.claim(request.key).ours]
            for request in free:
                most = most_cost(request, work.settings, self._price)
                call = work.budget.reserve(request.key, "batch", most)
                if call is None:
                    work.cache.release(request.key)
                else:
                    calls[request.key] = call
            if len(calls) < min(least, len(free)) or not calls:
                for key, call in calls.items():
                    work.budget.release(call)
                    work.cache.release(key)
                return None
            chosen = [request for request in requests if request.key in calls]
            self._jobs.write_requests(job.id, chosen, answer_limit(work.settings))
            self._jobs.add(job, calls)
            work.cache.hand_to_job(calls, job.id)
        return job

    async def _mend(self, requests: Sequence[Request], outcomes: dict[str, Outcome]) -> None:
        """Asks online for what the jobs left without a summary."""
        again = [r for r in requests if outcomes[r.key].status in LEFT_WITHOUT]
        if not again or self._work.idle():
            return
        for key, outcome in (await Online(self._work, "online").answer(again)).items():
            before = outcomes[key]
            outcomes[key] = replace(
                outcome,
                tokens_in=before.tokens_in + outcome.tokens_in,
                tokens_out=before.tokens_out + outcome.tokens_out,
                cost=before.cost + outcome.cost,
                attempts=before.attempts + outcome.attempts,
            )

    def _over_budget(self, request: Request) -> str:
        most = most_cost(request, self._work.settings, self._price) / NANO
        return f"max_usd of {self._work.settings.max_usd:g} reached: a call may cost {most:.6f} USD"
