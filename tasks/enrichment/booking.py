"""Books what a batch job brought: answers, costs and verdicts, all at once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nocturna.tasks.enrichment.answer import judge, read_reply
from nocturna.tasks.enrichment.jobs import Job, Jobs
from nocturna.tasks.enrichment.summary_records import Outcome, Request
from nocturna.tasks.enrichment.tools import Work


class Booking:
    """Settles batch jobs in the ledger and the cache.

    Attributes:
        verdicts: outcomes of settled requests by key; whoever reads one takes it out.
    """

    def __init__(self, work: Work, jobs: Jobs) -> None:
        self._work, self._jobs = work, jobs
        self.verdicts: dict[str, Outcome] = {}

    def book(self, job: Job, results: Path, missing: str) -> None:
        """Keeps the answers, books what each request cost and gives up the claims, as one."""
        found = _read(results)
        ours = job.run_id == self._work.run_id
        with self._work.state.transaction():
            for key, call in self._jobs.calls(job.id).items():
                outcome = self._outcome(job, key, call, found.get(key), missing)
                if outcome.keep:
                    self._work.cache.put(key, outcome)
                self.verdicts[key] = outcome if ours else _paid_by_another_run(outcome)
                self._work.meter.answered()
            self._work.cache.release_job(job.id)
            self._jobs.move(job.id, "settled")

    def _outcome(
        self, job: Job, key: str, call: int, result: dict[str, Any] | None, missing: str
    ) -> Outcome:
        if result is not None and "response" not in result:
            self._work.budget.release(call)
            error = result.get("error")
            code = error.get("code") if isinstance(error, dict) else None
            told = code if isinstance(code, int) else "unknown"
            return Outcome("error", f"the service failed in the batch job ({told})", attempts=1)
        try:
            reply = read_reply(result and result["response"])
        except ValidationError:
            cost = self._work.budget.settle(call, None)
            return Outcome("error", missing, cost=cost, attempts=1)
        return replace(
            judge(reply, Request(key, "", ""), job.language),
            tokens_in=reply.tokens_in or 0,
            tokens_out=reply.tokens_out or 0,
            cost=self._work.budget.settle(call, job.price.cost_of(reply)),
            attempts=1,
        )

    def discard(self, job: Job, verdict: Outcome | None) -> None:
        """Undoes a job that was surely not created."""
        with self._work.state.transaction():
            for key, call in self._jobs.calls(job.id).items():
                self._work.budget.release(call)
                if verdict is not None:
                    self.verdicts[key] = verdict
            self._work.cache.release_job(job.id)
            self._jobs.move(job.id, "settled")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The lines of a results file by key, of a repeated one the first; broken ones are missing."""
    found: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                result = json.loads(line)
                key = str(result["key"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            found.setdefault(key, result)
    return found


def _paid_by_another_run(outcome: Outcome) -> Outcome:
    status = "cached" if outcome.status == "ok" else outcome.status
    return replace(outcome, status=status, cost=0, tokens_in=0, tokens_out=0, attempts=0)
