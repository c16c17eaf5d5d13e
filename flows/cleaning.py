"""Freeing disk: by hand with `nocturna runs clean`, and at the end of every night."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results.layout import Layout, layout_of, new_run_id
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.manifest import list_runs
from nocturna.tasks.results.pruning import Surplus, clean, surplus
from nocturna.tasks.settings import cache_folder
from nocturna.tasks.unused import remove_unused, unused
from nocturna.tasks.visible import visible


@dataclass(frozen=True)
class Cleaned:
    """What went, or would go, of a place.

    Attributes:
        where: the output folder of a job, or the cache.
        untouched: why nothing was done, if something was in the way.
    """

    where: Path
    items: tuple[Surplus, ...]
    untouched: str | None = None

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)


def clean_after_night(job: Job, layout: Layout) -> None:
    """Takes away what is over the retention of a job; call it with the lock held."""
    clean(layout, job.retention)
    remove_unused(unused(cache_folder(), job.retention.cache_days))


def clean_up(layout: Layout, dry_run: bool) -> Cleaned:
    """Takes away what is over the retention of a job's newest run, unless a run is going on."""
    policy = _policy(layout)
    if dry_run:
        return Cleaned(layout.root, tuple(surplus(layout, policy)))
    try:
        with hold_lock(layout, new_run_id()):
            return Cleaned(layout.root, tuple(clean(layout, policy)))
    except NocturnaError as error:
        return Cleaned(layout.root, (), str(error))


def clean_cache(out: Path, dry_run: bool) -> Cleaned:
    """Takes away what no job of an output folder wants to keep in the cache any longer."""
    policies = [_policy(layout_of(out, runs.parent.name)) for runs in out.glob("*/runs")]
    days = max((policy.cache_days for policy in policies), default=Retention().cache_days)
    cache = cache_folder()
    found = unused(cache, days)
    if not dry_run:
        remove_unused(found)
    return Cleaned(cache, tuple(Surplus(u.kind, u.path.name, u.path, u.bytes) for u in found))


def print_cleaned(found: Sequence[Cleaned], dry_run: bool) -> None:
    """A line a place: how much of what went."""
    word = "would free" if dry_run else "freed"
    for entry in found:
        where = visible(str(entry.where))
        if entry.untouched:
            print(f"{where}: nothing freed: {visible(entry.untouched)}")
            continue
        kinds = Counter(item.kind for item in entry.items)
        what = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        size = sum(item.bytes for item in entry.items)
        print(f"{where}: {word} {size / 1e6:,.1f} MB" + (f": {what}" if what else ""))
        if dry_run:
            for item in entry.items:
                print(f"  {item.kind:<10} {item.bytes / 1e6:>9,.1f} MB  {visible(str(item.path))}")


def _policy(layout: Layout) -> Retention:
    """The retention of the newest run of which it can be read, or the default one."""
    for run in reversed(list_runs(layout)):
        try:
            return Retention.model_validate(run.job["retention"])
        except (KeyError, TypeError, ValidationError):
            continue
    return Retention()
