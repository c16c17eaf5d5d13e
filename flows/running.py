"""What surrounds a run: the lock, recovery, signals, progress, and noting how it ended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flows.ephemeral import bind_engine
from flows.terminal import say, say_warnings, show_progress
from tasks.control import listening, stop_on_signals
from tasks.errors import Stopped
from tasks.job import Job
from tasks.plan import Planned
from tasks.results.layout import new_run_id
from tasks.results.lock import hold_lock
from tasks.results.records import ScoredShard
from tasks.results.recovery import recover
from tasks.steps.describe import note_failure
from tasks.steps.run import job_layout


@dataclass
class Claim:
    """A job's output folder, held by this process for one run."""

    run_id: str
    _hold_as: Callable[[str], None]

    def go_on_with(self, plan: Planned) -> Planned:
        """Takes over the run that the plan belongs to: a new one, or a stopped one."""
        if plan.run_id != self.run_id:
            say(f"going on with run {plan.run_id}, which had stopped")
            self.run_id = plan.run_id
            self._hold_as(plan.run_id)
        say(plan.outlook)
        return plan


@contextmanager
def claimed(job: Job) -> Iterator[Claim]:
    """Holds the job's output folder, puts right what a dead run left, and notes how this one ends.

    Raises:
        RunLocked: another run holds it.
    """
    say_warnings()
    bind_engine()
    layout, run_id = job_layout(job), new_run_id()
    with hold_lock(layout, run_id) as hold_as, stop_on_signals():
        recover(layout)
        claim = Claim(run_id, hold_as)
        try:
            yield claim
        except BaseException as error:
            note_failure(layout, claim.run_id, error)
            raise


@contextmanager
def progress(plan: Planned) -> Iterator[None]:
    """Shows how far the run is while the block runs."""
    with show_progress(plan.to_score) as shown, listening(shown.advance, shown.tell):
        yield


def all_scored(futures: Sequence[Any]) -> list[ScoredShard]:
    """The results of all shards; where some failed, the first failure that made the others stop."""
    results = [future.result(raise_on_failure=False) for future in futures]
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not isinstance(failure, Stopped):
            raise failure
    if failures:
        raise failures[0]
    return results
