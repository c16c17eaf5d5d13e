"""What the engine shows of the clock: the schedule, the nights to come, how each one ended.

The clock never waits for the engine. A thread of its own keeps the two in step, every few seconds:
it tells the engine what the clock decided, and the clock what people asked for in the engine's
page. While the engine is away, nights go on; what it missed is told once it is back.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Scheduled
from prefect.utilities.callables import parameter_schema

from nocturna.schedule import Schedule
from nocturna.served_night import KEY, Due
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.results.lock import holder_of
from nocturna.tasks.run.frozen import job_layout

AHEAD = 3
"""Nights to come that the engine shows for each job."""

_REMEMBERED = timedelta(hours=1)
_PAGE = 200
_MOST_OUTCOMES = 1000


Tell = Callable[[Due | UUID | NocturnaError], None]
"""Receives what is asked of the clock: a run now, the end of a run, or its own end."""


@dataclass
class Record:
    """The jobs as an engine knows them.

    Attributes:
        own: whether the engine belongs to this process and keeps no schedule itself; a standing
            one would start runs of its own, so it shows the schedule as inactive.
        began: when the clock began; what the engine shows from before is an earlier one's.
    """

    client: SyncPrefectClient
    flow: Flow[Any, Any]
    jobs: Sequence[Job]
    schedule: Schedule
    own: bool
    began: datetime
    _deployments: dict[UUID, Job] = field(default_factory=dict)
    _ahead: dict[tuple[str, datetime], UUID] = field(default_factory=dict)
    _off: frozenset[str] = frozenset()
    _elsewhere: frozenset[str] = frozenset()
    _is_right: bool = False
    _left_out: set[UUID] = field(default_factory=set)
    _offered: set[UUID] = field(default_factory=set)
    _outcomes: list[tuple[Due, State[Any]]] = field(default_factory=list)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def register(self) -> None:
        """Makes the engine know the jobs, their schedule and the next nights."""
        flow = self.client.create_flow_from_name(self.flow.name)
        fields = parameter_schema(self.flow).model_dump_for_openapi()
        for job in self.jobs:
            shown = DeploymentScheduleCreate(
                schedule=CronSchedule(cron=self.schedule.cron, timezone=self.schedule.zone.key),
                active=self.own,
            )
            deployment = self.client.create_deployment(
                flow,
                job.name,
                schedules=[shown],
                parameters=_parameters(job),
                description=f"{self.schedule}, kept by `nocturna serve`",
                parameter_openapi_schema=fields,
                enforce_parameter_schema=True,
            )
            self._deployments[deployment] = job
        self._ahead.clear()
        self._announce()

    def sync(self, tell: Tell) -> None:
        """Tells the engine what was decided, and the clock what was asked, since the last time."""
        if not self._is_right:
            self._put_right()
            self._is_right = True
        self._report()
        self._announce()
        found = self.client.read_deployments(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=list(self._deployments)))
        )
        self._elsewhere = frozenset(
            item.name
            for item in found
            if _folder(item.parameters) != job_layout(self._deployments[item.id]).out
        )
        self._off = frozenset(
            item.name
            for item in found
            if item.paused or (self.own and not any(s.active for s in item.schedules))
        )
        self._hear(tell)

    def flow_run(self, job: Job, date: datetime) -> UUID | None:
        """The run that the engine shows for a night, where it could be told of it."""
        return self._ahead.get((job.name, date))

    def is_off(self, due: Due) -> bool:
        """Whether somebody paused the job in the engine's page, or cancelled this night there."""
        return due.job.name in self._off or due.flow_run in self._left_out

    def note(self, due: Due, state: State[Any]) -> None:
        """How a night ended, for the engine, unless a run says so itself."""
        with self._writing:
            self._outcomes.append((due, state))
            del self._outcomes[:-_MOST_OUTCOMES]

    def withdraw(self) -> None:
        """Takes back the nights to come: nobody is going to start them."""
        self._report()
        for flow_run in list(self._ahead.values()):
            with suppress(ObjectNotFound):
                self._delete_if_waiting(flow_run)

    def _report(self) -> None:
        while self._outcomes:
            due, state = self._outcomes[0]
            with suppress(ObjectNotFound):  # somebody deleted it in the engine's page
                self._set(due.flow_run or self._run_of(due), state)
            with self._writing, suppress(ValueError):
                self._outcomes.remove((due, state))

    def _set(self, flow_run: UUID, state: State[Any]) -> None:
        known = self.client.read_flow_run(flow_run)
        if known.state is None or not known.state.is_final():
            self.client.set_flow_run_state(flow_run, state, force=True)

    def _announce(self) -> None:
        """Makes the engine show the next nights of each job."""
        now = datetime.now(UTC)
        dates = self.schedule.next(now, AHEAD)
        for deployment, job in self._deployments.items():
            for date in dates:
                if (job.name, date) not in self._ahead:
                    made = run_of_night(self.client, deployment, job, date, Due(job, date).key)
                    self._ahead[job.name, date] = made.id
        for passed in [key for key in self._ahead if now - key[1] > _REMEMBERED]:
            self._left_out.discard(self._ahead.pop(passed))

    def _hear(self, tell: Tell) -> None:
        now = datetime.now(UTC)
        waiting = self._runs(StateType.SCHEDULED)
        self._offered &= {run.id for run in waiting}
        for run in waiting:
            due = run.next_scheduled_start_time or run.expected_start_time
            if _is_night(run) or run.id in self._offered or due is None or due > now:
                continue
            self._offered.add(run.id)
            try:
                job = make_job(run.parameters.get("job", {}), "the run's parameters")
            except NocturnaError as error:
                self._set(run.id, Cancelled(message=str(error)))
                continue
            tell(Due(job, now, run.id, asked=True))
        for run in self._runs(StateType.CANCELLING):
            tell(run.id)
        self._look_for_cancelled(now, {run.id for run in waiting})

    def _look_for_cancelled(self, now: datetime, waiting: set[UUID]) -> None:
        for (name, date), flow_run in list(self._ahead.items()):
            if date <= now or flow_run in waiting | self._left_out:
                continue
            try:
                state = self.client.read_flow_run(flow_run).state
            except ObjectNotFound:
                del self._ahead[name, date]  # deleted: it is shown again
                continue
            if state is not None and state.is_cancelled():
                self._left_out.add(flow_run)

    def _put_right(self) -> None:
        """Puts right what an earlier clock left: nights to come, nights missed, runs that died."""
        ahead = set(self._ahead.values())
        for run in self._left(StateType.SCHEDULED):
            due = run.next_scheduled_start_time or run.expected_start_time
            if due is None or run.id in ahead:
                continue
            if due > self.began and _is_night(run):
                self.client.delete_flow_run(run.id)  # of another schedule
            elif due <= self.began:
                missed: State[Any] = Cancelled(
                    name="Missed", message="nothing was serving when it was due"
                )
                self.client.set_flow_run_state(run.id, missed, force=True)
        for run in self._left(StateType.RUNNING, StateType.PENDING, StateType.CANCELLING):
            job = self._deployments[run.deployment_id] if run.deployment_id else None
            if job is not None and holder_of(job_layout(job)) is None:
                self._set(run.id, Crashed(message="it was killed, and so was what served it"))

    def _left(self, *types: StateType) -> list[FlowRun]:
        return [run for run in self._runs(*types) if run.created and run.created < self.began]

    def _runs(self, *types: StateType) -> list[FlowRun]:
        found: list[FlowRun] = []
        read = 0
        while True:
            page = self.client.read_flow_runs(
                deployment_filter=DeploymentFilter(
                    id=DeploymentFilterId(any_=list(self._deployments))
                ),
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
                ),
                limit=_PAGE,
                offset=read,
            )
            read += len(page)
            found += [run for run in page if self._is_ours(run)]
            if len(page) < _PAGE:
                return found

    def _is_ours(self, run: FlowRun) -> bool:
        """Whether it is of a job of ours, and not of one of that name in another folder.

        A run that a person described anew is of the clock whose job the engine shows.
        """
        job = self._deployments[run.deployment_id] if run.deployment_id else None
        if job is None:
            return False
        if _folder(run.parameters) == job_layout(job).out:
            return True
        return not _is_night(run) and job.name not in self._elsewhere

    def _run_of(self, due: Due) -> UUID:
        """The run of a night that began while the engine was away."""
        for deployment, job in self._deployments.items():
            if job.name == due.job.name:
                return run_of_night(self.client, deployment, job, due.date, due.key).id
        raise ObjectNotFound(LookupError(due.job.name))

    def _delete_if_waiting(self, flow_run: UUID) -> None:
        known = self.client.read_flow_run(flow_run)
        if known.state is not None and known.state.is_scheduled():
            self.client.delete_flow_run(flow_run)


def run_of_night(
    client: SyncPrefectClient, deployment: UUID, job: Job, date: datetime, key: str
) -> FlowRun:
    """The run that an engine shows for a night; made where it shows none yet."""
    scheduled: State[Any] = Scheduled(scheduled_time=date)
    return client.create_flow_run_from_deployment(
        deployment, parameters=_parameters(job), state=scheduled, idempotency_key=key
    )


def _parameters(job: Job) -> dict[str, Any]:
    """What the engine is told of a job; its folder as it is from anywhere."""
    values = job.model_dump(mode="json")
    values["output"]["dir"] = job_layout(job).out
    return {"job": values}


def _folder(parameters: dict[str, Any]) -> Any:
    return parameters.get("job", {}).get("output", {}).get("dir")


def _is_night(run: FlowRun) -> bool:
    """Whether a clock made it: it starts its nights itself."""
    return (run.idempotency_key or "").startswith(KEY)
