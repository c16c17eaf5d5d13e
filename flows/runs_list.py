"""The list of runs for a person: what went wrong first, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from nocturna.tasks.results.ending import TROUBLE
from nocturna.tasks.results.manifest import PUBLISHED, Manifest
from nocturna.tasks.visible import visible


@dataclass(frozen=True)
class Listed:
    """A run in the list.

    Attributes:
        over: the job's first run after it that was published, for a run that ended in trouble.
    """

    run: Manifest
    over: str | None = None

    @property
    def rank(self) -> int:
        if self.run.status not in TROUBLE:
            return 2
        return 0 if self.over is None else 1


def in_order(runs: Sequence[Manifest]) -> list[Listed]:
    """Runs that ended in trouble, those with no success since first; then all others.

    Each group has the newest first.
    """
    newest = sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)
    published: dict[str, str] = {}
    found = []
    for run in newest:
        trouble = run.status in TROUBLE
        found.append(Listed(run, published.get(run.job_name) if trouble else None))
        if run.status == PUBLISHED:
            published[run.job_name] = run.run_id
    return sorted(found, key=lambda listed: listed.rank)


def print_runs(found: Sequence[Listed]) -> None:
    """A line a run, and below it, in one line, why it ended as it did."""
    width = max((len(visible(listed.run.job_name)) for listed in found), default=0)
    if not found:
        print("no runs yet")
    for listed in found:
        run, counts = listed.run, listed.run.counts
        line = f"{visible(run.job_name):<{width}}  {run.run_id}  {run.status:<11}"
        line += f"  {counts.read:>11,} read {counts.scored:>11,} scored {counts.failed:>7,} failed"
        line += f" {counts.quarantined:>7,} quarantined"
        line += f"  {run.seconds:>9,.1f} s" if run.seconds else f"  {'-':>9}  "
        if run.snapshot is not None:
            line += f"  snapshot {run.snapshot}"
        elif listed.over is not None:
            line += f"  published again by {listed.over}"
        print(visible(line))
        if run.reason:
            print(f"{'':<{width}}  {visible(' '.join(run.reason.split()))}")
