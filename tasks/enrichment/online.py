"""Asks request by request, many at once: online and in the Flex tier."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from nocturna.tasks.enrichment.answer import judge
from nocturna.tasks.enrichment.client_errors import ServiceError
from nocturna.tasks.enrichment.prices import NANO, Mode, most_cost, price_of
from nocturna.tasks.enrichment.prompt import render
from nocturna.tasks.enrichment.summary_records import Outcome, Request
from nocturna.tasks.enrichment.token_bounds import likely_tokens
from nocturna.tasks.enrichment.tools import Work, nap

MOST_PAID = 2
"""Answers paid for one request: an unusable one is asked for once more."""

FAILURES_IN_A_ROW = 20
"""Requests that fail one after the other, with none answered between, before the stage stops."""


class Online:
    """Answers requests one call each, within the budget and the pace of the key."""

    def __init__(self, work: Work, mode: Mode) -> None:
        self._work, self._mode = work, mode
        self._settings, self._halt = work.settings, work.halt
        self._cache, self._budget, self._limiter = work.cache, work.budget, work.limiter
        self._price = price_of(work.settings, mode)
        self._slots = asyncio.Semaphore(work.settings.concurrency)
        self._open = 0
        self._freed = asyncio.Event()
        self._failures = 0

    async def answer(self, requests: Sequence[Request]) -> dict[str, Outcome]:
        """An outcome for each request, by key; a key that is asked twice is paid once.

        After `stop()` turned true, requests that were not asked are missing.
        """
        distinct = {request.key: request for request in requests}
        outcomes = await asyncio.gather(*map(self._outcome, distinct.values()))
        return {k: o for k, o in zip(distinct, outcomes, strict=True) if o is not None}

    async def _outcome(self, request: Request) -> Outcome | None:
        while True:
            async with self._slots:
                outcome = self._cache.get(request.key)
                if outcome is None:
                    if self._work.idle():
                        return self._halt.outcome
                    claim = self._cache.claim(request.key)
                    if claim.ours:
                        outcome = await self._ask_as_owner(request)
                    elif claim.job:
                        outcome = _in_job(claim.job)
                if outcome is not None:
                    self._work.meter.answered()
                    return outcome
                if self._work.idle():
                    return self._halt.outcome
            await asyncio.sleep(self._work.timing.claim_poll)

    async def _ask_as_owner(self, request: Request) -> Outcome | None:
        """The claim may have been free because the answer has just come in: look again."""
        try:
            return self._cache.get(request.key) or await self._ask(request)
        finally:
            self._cache.release(request.key)

    async def _ask(self, request: Request) -> Outcome | None:
        """Calls until there is an outcome; None if stopped before one.

        `spent` carries what the request has cost so far: lost and unusable answers count.
        """
        spent = Outcome("error")
        failures = paid = 0
        self._work.client.open()
        while True:
            call = await self._reserve(request)
            if call is None:
                return replace(spent, status="skipped_budget", reason=self._over_budget(request))
            tokens = likely_tokens(request.instruction, request.text)
            try:
                if not await self._limiter.turn(tokens, self._work.idle):
                    self._budget.release(call)
                    halted = self._halt.outcome
                    return halted and replace(spent, status=halted.status, reason=halted.reason)
                spent = replace(spent, attempts=spent.attempts + 1)
                outcome = await self._call(request, call)
            except ServiceError as error:
                spent = self._book_failure(call, error, spent)
                if error.kind in ("fatal", "quota", "throttled"):
                    continue
                failures += 1
                if error.kind == "rejected" or failures >= self._settings.attempts:
                    reason = _tell(error, failures)
                    return self._give_up(replace(spent, status="error", reason=reason))
                await self._back_off(failures)
                continue
            finally:
                self._free()
            self._failures = 0
            paid += 1
            spent = replace(
                outcome,
                tokens_in=spent.tokens_in + outcome.tokens_in,
                tokens_out=spent.tokens_out + outcome.tokens_out,
                cost=spent.cost + outcome.cost,
                attempts=spent.attempts,
            )
            if spent.status != "invalid_output" or paid >= MOST_PAID:
                return spent

    async def _reserve(self, request: Request) -> int | None:
        """Reserves the worst case; waits while calls under way may leave something over."""
        most = most_cost(request, self._settings, self._price)
        while True:
            call = self._budget.reserve(request.key, self._mode, most)
            if call is not None:
                self._open += 1
                return call
            if self._open == 0:
                return None
            freed = self._freed
            await freed.wait()

    def _free(self) -> None:
        self._open -= 1
        self._freed.set()
        self._freed = asyncio.Event()

    async def _call(self, request: Request, call: int) -> Outcome:
        """One call; the answer and what it cost are kept together or not at all."""
        self._work.meter.call()
        system, message = render(request)
        reply = await self._work.client.generate(system, message)
        self._limiter.answered()
        verdict = judge(reply, request, self._work.language)
        with self._work.state.transaction():
            outcome = replace(
                verdict,
                tokens_in=reply.tokens_in or 0,
                tokens_out=reply.tokens_out or 0,
                cost=self._budget.settle(call, self._price.cost_of(reply)),
                attempts=1,
            )
            if outcome.keep:
                self._cache.put(request.key, outcome)
        return outcome

    def _book_failure(self, call: int, error: ServiceError, spent: Outcome) -> Outcome:
        if error.kind == "lost":
            return replace(spent, cost=spent.cost + self._budget.settle(call, None))
        self._budget.release(call)
        if error.kind == "fatal":
            self._halt.now("error", error.message)
        elif error.kind == "quota":
            self._halt.now("quota_exhausted", error.message)
        elif error.kind == "throttled":
            self._limiter.throttled(error.retry_after)
            if self._limiter.hopeless(self._work.timing.patience):
                self._halt.now("quota_exhausted", f"{error.message}; no call passed for too long")
        return spent

    def _give_up(self, outcome: Outcome) -> Outcome:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._halt.now(
                "error", f"{self._failures} documents in a row failed, the last: {outcome.reason}"
            )
        return outcome

    def _over_budget(self, request: Request) -> str:
        left = self._settings.max_usd or 0
        most = most_cost(request, self._settings, self._price) / NANO
        return f"max_usd of {left:g} reached: a call may cost up to {most:.6f} USD"

    async def _back_off(self, failures: int) -> None:
        wait = min(
            self._work.timing.longest_backoff, self._work.timing.backoff * 2 ** (failures - 1)
        )
        await nap(wait * random.uniform(0.75, 1.25), self._work.idle)


def _in_job(job: str) -> Outcome:
    return Outcome(
        "error",
        f"already paid for in batch job {job}, which is not finished; run in mode batch to wait",
    )


def _tell(error: ServiceError, failures: int) -> str:
    return error.message if failures == 1 else f"{error.message}, {failures} times"
