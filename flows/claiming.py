"""What surrounds a run: the lock, recovery, signals, progress, and noting how it ended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from nocturna.artifacts import progress_bar
from nocturna.recorded import why_unrecorded
from nocturna.tasks.control import go_on, listening, stop_on_signals
from nocturna.tasks.errors import Stopped
from nocturna.tasks.job.job import Job
from nocturna.tasks.plan import Planned
from nocturna.tasks.results.layout import new_run_id
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.recovery import recover
from nocturna.tasks.results.shard_records import ScoredShard
from nocturna.tasks.results.shared import refuse_lost, when_lost
from nocturna.tasks.run.describe import note_unrecorded
from nocturna.tasks.run.frozen import job_layout
from nocturna.telling import Watched, noted, told
from nocturna.terminal import say, say_warnings, show_progress


@dataclass
class Claim:
    """A job's output folder, held by this process for one run."""

    run: Watched
    _hold_as: Callable[[str], None]

    @property
    def run_id(self) -> str:
        return self.run.run_id

    def go_on_with(self, plan: Planned) -> Planned:
        """Takes over the run that the plan belongs to: a new one, or a stopped one."""
        if plan.run_id != self.run_id:
            say(f"going on with run {plan.run_id}, which had stopped")
            self.run.run_id = plan.run_id
            self._hold_as(plan.run_id)
        say(plan.outlook)
        return plan


_held: ContextVar[Claim | None] = ContextVar("nocturna_claim", default=None)


@contextmanager
def claimed(job: Job) -> Iterator[Claim]:
    """Holds the job's output folder, puts right what a dead run left, and notes how this one ends.

    Inside such a block for the same folder it is the same claim.

    Raises:
        RunLocked: another run holds it.
    """
    layout, run_id, held = job_layout(job), new_run_id(), _held.get()
    if held is not None and held.run.layout == layout:
        with stop_on_signals():  # the engine has taken the signals meanwhile
            go_on()
            yield held
        return
    say_warnings()
    with (
        told(job, run_id) as run,
        hold_lock(layout, run_id) as hold_as,
        stop_on_signals() as control,
        noted(run),
    ):
        when_lost(layout, control.request_stop)
        recover(layout)
        claim = Claim(run, hold_as)
        outside = _held.set(claim)
        try:
            go_on()
            yield claim
        except Stopped:
            refuse_lost(layout)
            raise
        finally:
            _held.reset(outside)
            note_unrecorded(layout, run.run_id, why_unrecorded())


@contextmanager
def progress(plan: Planned) -> Iterator[None]:
    """Shows how far the run is while the block runs."""
    with (
        show_progress(plan.to_score) as shown,
        listening(shown.advance, shown.tell),
        progress_bar(plan.to_score) as on_page,
        listening(*on_page),
    ):
        yield


def all_scored(results: Sequence[Any]) -> list[ScoredShard]:
    """The results of all shards; where some failed, the first failure that made the others stop."""
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not isinstance(failure, Stopped):
            raise failure
    if failures:
        raise failures[0]
    return list(results)
