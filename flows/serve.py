"""The main flow on the clock: `nocturna serve`."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

from prefect import flow
from prefect.states import Cancelled

from nocturna.clock import Clock, Rules, Turn
from nocturna.journal import Journal
from nocturna.keeper import Keeper
from nocturna.record import Record
from nocturna.recorded import body
from nocturna.run_name import job_and_date
from nocturna.schedule import Schedule
from nocturna.score import score_corpus
from nocturna.served_night import Due, Night, start_night
from nocturna.stamp import read_stamp
from nocturna.tasks.errors import NocturnaError, RunLocked
from nocturna.tasks.job.job import Job
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import home_of
from nocturna.tasks.results.report import Summary
from nocturna.tasks.run.frozen import job_layout
from nocturna.telling import tell_aside
from nocturna.terminal import say


@flow(name="nightly", flow_run_name=job_and_date)
@body
def nightly(job: Job) -> Summary | Any:
    """Scores a corpus, unless an earlier run of the job is still going: then it is refused."""
    try:
        summary = score_corpus.fn(job)
    except RunLocked as error:
        say(f"nocturna: {job.name}: not started: {error}")
        return Cancelled(message=str(error))
    except NocturnaError as error:
        say(f"nocturna: {job.name}: {error}")
        raise
    say(
        f"nocturna: {job.name}: published snapshot {summary.snapshot}, "
        f"{summary.counts.scored:,} of {summary.counts.read:,} rows scored"
    )
    return summary


def serve_jobs(jobs: Sequence[Job], schedule: Schedule, rules: Rules, api: str | None) -> int:
    """Runs jobs on a schedule until a signal asks to stop; returns its number.

    Args:
        api: URL of a standing Prefect server; without it an own one is started on a free port.

    Raises:
        UsageError: the server refuses the credentials.
        NocturnaError: the schedule cannot be kept.
    """
    names = [job.name for job in jobs]
    folder = home_of(jobs[0].output.dir) / ".serve"
    with files.clear_errors(folder):
        journal = Journal(folder / f"{names[0]}.log")
    now = datetime.now(UTC)
    turns = [Turn(job, read_stamp(job_layout(job)) or now) for job in jobs]
    clock = Clock(schedule, rules, turns, journal.say, tell_aside)
    keeper = Keeper(
        api=api,
        record=lambda client: Record(client, nightly, jobs, schedule, own=api is None, began=now),
        log=folder / f"{names[0]}.engine.log",
        say=journal.say,
        note=journal.note,
        ready=partial(_say_ready, journal, schedule, names),
        tell=clock.inbox.put,
    )

    def start(due: Due) -> Night:
        journal.say(f"nocturna: {due.job.name}: the night of {schedule.local(due.date)} starts")
        hear = partial(_hear, journal, due.job.name)
        environment = keeper.environment()
        return start_night(due, rules.overlap, environment, hear, lambda: clock.inbox.put(None))

    try:
        with _signals_told(clock.inbox.put):
            journal.say(f"nocturna: serving {', '.join(names)} at {schedule}; log {journal.path}")
            keeper.open()
            try:
                return clock.run(keeper, start)
            finally:
                keeper.close()
    finally:
        journal.close()


@contextmanager
def _signals_told(tell: Callable[[int], None]) -> Iterator[None]:
    """Hands the number of each SIGTERM and Ctrl-C on, instead of ending the process.

    Args:
        tell: safe to call at any moment, as `SimpleQueue.put` is.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        tell(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_ready(
    journal: Journal, schedule: Schedule, names: Sequence[str], url: str, auth: str | None
) -> None:
    page = url.removesuffix("/api")
    (date,) = schedule.next(datetime.now(UTC), 1)
    for name in names:
        journal.say(f"nocturna: {name}: runs next at {schedule.local(date)} ({schedule.zone.key})")
    journal.note(f"nocturna: engine at {url}, its page at {page}")
    password = f", password {auth}" if auth else ""
    journal.say(f"nocturna: engine at {url}, its page at {page}{password}", keep=False)


def _hear(journal: Journal, name: str, line: str) -> None:
    own = line.removeprefix("nocturna: ").removeprefix(f"{name}: ")
    if own.strip():
        journal.say(f"nocturna: {name}: {own}")
