"""The life of a batch job: created once, watched, booked, removed."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from nocturna.tasks.enrichment.booking import Booking
from nocturna.tasks.enrichment.client_errors import ServiceError
from nocturna.tasks.enrichment.jobs import Job, Jobs
from nocturna.tasks.enrichment.providers import RemoteJob
from nocturna.tasks.enrichment.summary_records import Outcome
from nocturna.tasks.enrichment.tools import Work, nap

T = TypeVar("T")

LOOKS_AFTER_CANCEL = 5


class BatchJobs:
    """Takes batch jobs through their life; what they bring is left to the booking."""

    def __init__(self, work: Work, jobs: Jobs, booking: Booking) -> None:
        self._work, self._jobs, self._booking = work, jobs, booking
        self._client, self._timing = work.client, work.timing

    async def collect(self) -> None:
        """Settles what earlier processes left behind, as far as it is finished by now."""
        for name in self._jobs.orphans():
            if (job := self._jobs.get(name)) and not self._work.idle():
                await self._once(job)

    async def launch(self, job: Job) -> bool:
        """Uploads the requests of a prepared job and creates it, once.

        False if the service takes no further job before one of ours has ended.
        """
        try:
            upload = await self._upload(job)
            await self._create(job, upload)
            return True
        except ServiceError as error:
            full = error.kind == "throttled" and self._jobs.pending(besides=job.id) is not None
            out_of_quota = error.kind in ("quota", "throttled")
            verdict = Outcome(
                "quota_exhausted" if out_of_quota else "error",
                f"batch job not created: {error.message}",
            )
            if error.kind in ("fatal", "quota"):
                self._work.halt.now(verdict.status, error.message)
            self._booking.discard(job, None if full else verdict)
            await self._clean(job.id, None)
            return not full

    async def wait(self, name: str) -> None:
        """Watches a job until it is settled, or until there is nothing to wait for."""
        if not self._jobs.adopt(name):
            await nap(self._timing.claim_poll, self._work.idle)
            return
        pause = self._timing.poll
        while not self._work.idle():
            job = self._jobs.get(name)
            if job is None or job.state == "settled":
                return
            if job.state == "creating":
                await self._confirm(job)
            elif await self._once(job):
                return
            self._work.meter.tick()
            await nap(pause, self._work.idle)
            pause = min(pause * 1.5, self._timing.longest_poll)

    async def _once(self, job: Job) -> bool:
        """One look at a job of ours; True if it is settled now."""
        if job.state == "prepared":
            self._booking.discard(job, None)
            await self._clean(job.id, None)
            return True
        late = time.time() > job.deadline
        if job.state == "creating":
            if await self._find(job) or not late:
                return False
            await self._never_confirmed(job)
            return True
        if job.state == "settled":
            remote = await self._look(job) if job.remote else None
            await self._clean(job.id, remote.output if remote else None)
            return True
        remote = await (self._cancel(job) if late else self._look(job))
        if remote is None and late:
            self._work.halt.now(
                "error",
                f"batch job {job.id} is past its deadline and cannot be looked at; it stays on "
                "record, run again",
            )
        if remote is None or not (remote.ended or (late and not self._work.idle())):
            return False
        return await self._settle(job, remote)

    async def _upload(self, job: Job) -> str:
        async def upload() -> str:
            name = self._jobs.add_upload(job.id)
            await self._client.upload(self._jobs.requests_file(job.id), name)
            return name

        return await self._patiently(upload)

    async def _create(self, job: Job, upload: str) -> None:
        """Creates the job; where the service may have done so without telling, looks for it."""

        async def create() -> RemoteJob | None:
            self._jobs.move(job.id, "creating")
            try:
                self._work.meter.call()
                return await self._client.create_job(upload, job.id)
            except ServiceError as error:
                if error.kind == "lost" or error.code in (500, 502):
                    return None
                self._jobs.move(job.id, "prepared")
                raise

        remote = await self._patiently(create)
        if remote is None:
            await self._confirm(job)
        else:
            self._jobs.move(job.id, "running", remote.name)

    async def _confirm(self, job: Job) -> None:
        """Looks for a job that was perhaps created; in the end counts it as spent."""
        end = time.monotonic() + self._timing.create_patience
        while not self._work.idle() and not await self._find(job):
            if time.monotonic() > end:
                await self._never_confirmed(job)
                return
            await nap(self._timing.poll, self._work.idle)

    async def _never_confirmed(self, job: Job) -> None:
        reason = f"batch job {job.id} was never confirmed; counted as spent"
        self._booking.book(job, self._jobs.results_file(job.id), reason)
        await self._clean(job.id, None)

    async def _find(self, job: Job) -> bool:
        """Looks for a job by its display name; True if it is known to be running now."""
        try:
            remote = await self._patiently(lambda: self._client.find_job(job.id))
        except ServiceError as error:
            self._halt_if_fatal(error)
            return False
        if remote is not None:
            self._jobs.move(job.id, "running", remote.name)
        return remote is not None

    async def _look(self, job: Job) -> RemoteJob | None:
        try:
            return await self._patiently(lambda: self._client.job(job.remote or ""))
        except ServiceError as error:
            if error.code == 404:
                return RemoteJob(job.remote or "", "EXPIRED", None, ended=True)
            self._halt_if_fatal(error)
            return None

    async def _cancel(self, job: Job) -> RemoteJob | None:
        """Stops a job that is late; gives it a little time to hand over what it has."""
        remote = await self._look(job)
        if remote is None or remote.ended:
            return remote
        await self._try(partial(self._client.cancel_job, remote.name))
        for _ in range(LOOKS_AFTER_CANCEL):
            await nap(self._timing.poll, self._work.idle)
            remote = await self._look(job)
            if remote is None or remote.ended:
                break
        return remote

    async def _settle(self, job: Job, remote: RemoteJob) -> bool:
        """Books a job that has ended or is given up; False if its results cannot be had yet."""
        path = self._jobs.results_file(job.id)
        output = remote.output
        if output:
            try:
                await self._patiently(lambda: self._client.download(output, path))
            except ServiceError as error:
                gone = error.code in (400, 404) or time.time() > job.deadline
                if self._halt_if_fatal(error) or not gone:
                    return False
        missing = f"batch job {job.id} ({remote.state}) left the request without an answer"
        self._booking.book(job, path, missing)
        await self._clean(job.id, output)
        return True

    async def _clean(self, name: str, output: str | None) -> None:
        """Removes what a settled job left at the service, then strikes it off the record."""
        job = self._jobs.get(name)
        if job is None:
            return
        calls = [partial(self._client.delete_file, f) for f in (*job.uploads, output) if f]
        if job.remote:
            calls.append(partial(self._client.delete_job, job.remote))
        if all([await self._try(call) for call in calls]):
            self._jobs.forget(name)

    async def _try(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Whether a clean-up call is done with: it worked, or what it is about is not there."""
        try:
            await self._patiently(call)
        except ServiceError as error:
            return error.code in (400, 403, 404)
        return True

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call that may be repeated, while its failure may pass."""
        failures = 0
        while True:
            try:
                return await call()
            except ServiceError as error:
                failures += 1
                passing = error.kind in ("throttled", "unavailable", "lost")
                if not passing or failures >= self._work.settings.attempts or self._work.idle():
                    raise
                pause = error.retry_after or self._timing.backoff * 2 ** (failures - 1)
            await nap(min(pause, self._timing.longest_backoff), self._work.idle)

    def _halt_if_fatal(self, error: ServiceError) -> bool:
        if error.kind == "fatal" and error.code != 404:
            self._work.halt.now("error", error.message)
            return True
        return False
