"""How a run ended, noted on the disk and told to whoever the job names."""

import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nocturna.cleaning import clean_after_night
from nocturna.notify import Ending, missing_addresses, tell_all
from nocturna.observer import Observer
from nocturna.tasks.errors import NocturnaError, RunLocked
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.targets import Event
from nocturna.tasks.results.ending import TROUBLE, cause_of, last_ended, note_failure, status_of
from nocturna.tasks.results.layout import Layout, new_run_id
from nocturna.tasks.results.manifest import (
    FAILED,
    INTERRUPTED,
    REFUSED,
    SKIPPED,
    Manifest,
    read_manifest,
)
from nocturna.tasks.run.describe import note_unrecorded
from nocturna.tasks.run.frozen import job_layout
from nocturna.terminal import say

_EVENTS: dict[str, Event] = {FAILED: "failure", REFUSED: "refusal", SKIPPED: "refusal"}
_UNTOLD = "how the run ended could not be told"


@dataclass
class Watched:
    """A run whose end is noted; `run_id` changes where it goes on with an earlier one."""

    job: Job
    layout: Layout
    run_id: str
    before: Manifest | None
    started: float = field(default_factory=time.monotonic)
    noted: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def note(self, error: BaseException) -> None:
        """Writes into the run's manifest how it ended, once."""
        if not self.noted:
            self.noted = True
            values = self.job.model_dump(mode="json")
            _guarded(
                "how the run ended could not be noted",
                lambda: note_failure(self.layout, self.run_id, error, values, self.seconds),
            )


@contextmanager
def told(job: Job, run_id: str) -> Iterator[Watched]:
    """Notes and tells how the block ends; what it raises is raised all the same."""
    for line in missing_addresses(job.notify):
        say(f"nocturna: {line}")
    layout = job_layout(job)
    before: list[Manifest | None] = []
    _guarded("earlier runs could not be read", lambda: before.append(last_ended(layout)))
    run = Watched(job, layout, run_id, before[0] if before else None)
    try:
        yield run
    except BaseException as error:
        caught = error
        run.note(error)
        _guarded(_UNTOLD, lambda: _tell_failure(run, caught))
        raise
    _guarded(_UNTOLD, lambda: _tell_success(run))


def note_silence(job: Job, run_id: str, observer: Observer) -> None:
    """Notes in a run's manifest that its engine fell silent, be it after the run itself."""
    _guarded(
        "why the run went unrecorded could not be noted",
        lambda: note_unrecorded(job_layout(job), run_id, observer.reason),
    )


def tell_unbegun(job: Job, error: BaseException) -> None:
    """Notes and tells that a run of a job ended before it began: a night that is over is listed."""
    try:
        with told(job, new_run_id()):
            raise error
    except type(error):
        return


def tell_aside(job: Job, error: NocturnaError) -> None:
    """The same in a thread of its own, also for a run that was killed and could note nothing."""

    def tell() -> None:
        killed = last_ended(job_layout(job))
        if isinstance(error, RunLocked) or killed is None or killed.status != INTERRUPTED:
            tell_unbegun(job, error)
        else:
            run = Watched(job, job_layout(job), killed.run_id, None)
            _tell(run, "failure", "killed", cause_of(error))

    threading.Thread(target=_guarded, args=[_UNTOLD, tell], daemon=True).start()


@contextmanager
def noted(run: Watched) -> Iterator[None]:
    """Notes how the block ends, and frees disk, before the lock is given back."""
    try:
        yield
    except BaseException as error:
        run.note(error)
        raise
    finally:
        _guarded("disk could not be freed", lambda: clean_after_night(run.job, run.layout))


def _tell_failure(run: Watched, error: BaseException) -> None:
    status = status_of(error)
    event = _EVENTS.get(status)
    if event is not None:
        # an unexpected error may quote what it stumbled over: its words stay in the manifest
        known = isinstance(error, NocturnaError)
        cause = cause_of(error) if known else f"unexpected {type(error).__name__}"
        _tell(run, event, status, cause)


def _tell_success(run: Watched) -> None:
    before = run.before
    if before is None or before.status not in TROUBLE:
        _tell(run, "success", "published", None)
        return
    what = "was killed" if before.status == INTERRUPTED else before.status
    cause = f"run {before.run_id} before it {what}"
    if before.reason and before.status != INTERRUPTED:
        cause += f": {before.reason}"
    _tell(run, "recovery", "published again", cause)


def _tell(run: Watched, event: Event, outcome: str, cause: str | None) -> None:
    out = shlex.quote(run.layout.out)
    ending = Ending(
        event=event,
        job=run.job.name,
        run_id=run.run_id,
        outcome=outcome,
        cause=cause,
        counts=_counts(run),
        seconds=round(run.seconds, 1),
        more=f"nocturna runs show {run.run_id} --out {out}",
    )
    for line in tell_all(run.job.notify, ending):
        say(f"nocturna: {line}")


def _counts(run: Watched) -> dict[str, int]:
    if not run.layout.manifest(run.run_id).exists():
        return {}
    counts = read_manifest(run.layout, run.run_id).counts
    names = ("read", "scored", "failed", "quarantined", "superseded", "carried")
    found: dict[str, int] = {name: getattr(counts, name) for name in names}
    return found if any(found.values()) else {}


def _guarded(what: str, step: Callable[[], Any]) -> None:
    """Takes a step that must not cost the night: where it fails, that is a line."""
    try:
        step()
    except Exception as error:
        say(f"nocturna: {what}: {cause_of(error)}")
