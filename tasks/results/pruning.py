"""What of an output folder is over its retention, and taking it away.

Only what runs made goes, by the names that they gave it. Rows that readers see are never touched:
the newest snapshots stay, older ones as long as somebody may still be reading them, and the record
of a run stays as long as a row of a kept snapshot names it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout, is_run_id, start_of
from nocturna.tasks.results.lock import holder_of
from nocturna.tasks.results.log_entries import committed, current_snapshot, is_kept
from nocturna.tasks.results.manifest import PUBLISHED, SKIPPED, Manifest, list_runs
from nocturna.tasks.results.parts import rejects_in
from nocturna.tasks.results.recovery import discard_work, remove_snapshot
from nocturna.tasks.results.shared import dismiss
from nocturna.tasks.results.sinks import followers
from nocturna.tasks.results.sql import connect, rows_of

MOST_SKIPPED = 50
"""Records of nights that never began, because another still went on."""


@dataclass(frozen=True)
class Surplus:
    """Something that is over the retention.

    Attributes:
        kind: snapshot, work, quarantine, plan, run or log.
        bytes: what taking it away frees; a part that another snapshot has too frees nothing.
    """

    kind: str
    name: str
    path: Path
    bytes: int


def clean(layout: Layout, policy: Retention, now: datetime | None = None) -> list[Surplus]:
    """Takes away what is over the retention; call it with the lock held.

    Returns:
        what went.
    """
    found = surplus(layout, policy, now)
    with files.clear_errors(layout.root):
        for item in found:
            _remove(layout, item)
    return found


def surplus(layout: Layout, policy: Retention, now: datetime | None = None) -> list[Surplus]:
    """What is over the retention, in the order in which it is to be taken away."""
    now = now or datetime.now(UTC)
    runs = list_runs(layout)
    leaving = _old_snapshots(layout, policy, now)
    gone = _old_runs(layout, policy, runs, leaving)
    found = [
        Surplus("snapshot", str(number), path, _bytes(path, linked=False))
        for number in leaving
        for path in [layout.snapshot(number)]
    ]
    found += _old_work(layout, policy, runs, now)
    found += _old_quarantine(layout, policy, gone, now)
    found += [
        Surplus("run", run_id, layout.run(run_id), _bytes(layout.run(run_id))) for run_id in gone
    ]
    found += _old_plans(layout, policy, runs, gone, now)
    found += _old_entries(layout, leaving, gone)
    return found


def _old_snapshots(layout: Layout, policy: Retention, now: datetime) -> list[int]:
    """Snapshots beyond the newest ones that were replaced long enough ago."""
    there = [s for s in committed(layout) if is_kept(layout, s) and s.parts]
    found = []
    for snapshot, successor in itertools.pairwise(there):
        replaced = _time(successor.published_at)
        long_ago = replaced and now - replaced >= timedelta(hours=policy.snapshot_hours)
        if long_ago and snapshot not in there[-policy.snapshots :]:
            found.append(snapshot.number)
    return found


def _old_work(
    layout: Layout, policy: Retention, runs: list[Manifest], now: datetime
) -> Iterator[Surplus]:
    ended = {run.run_id: _time(run.finished_at) for run in runs}
    for run_id in _folders(layout, layout.root / "work"):
        last = max(filter(None, [_time(start_of(run_id)), ended.get(run_id)]), default=None)
        if last and now - last >= timedelta(days=policy.work_days):
            yield Surplus("work", run_id, layout.work(run_id), _bytes(layout.work(run_id)))


def _old_quarantine(
    layout: Layout, policy: Retention, gone: list[str], now: datetime
) -> Iterator[Surplus]:
    for run_id in _folders(layout, layout.root / "quarantine"):
        began, path = _time(start_of(run_id)), layout.quarantine(run_id)
        old = began and now - began >= timedelta(days=policy.quarantine_days)
        if old or run_id in gone:
            yield Surplus("quarantine", run_id, path, _bytes(path))


def _old_runs(
    layout: Layout, policy: Retention, runs: list[Manifest], leaving: list[int]
) -> list[str]:
    skipped = [run for run in runs if run.status == SKIPPED]
    begun = [run for run in runs if run.status != SKIPPED]
    old = [*skipped[:-MOST_SKIPPED], *begun[: -policy.runs]]
    if not old:
        return []
    holder = holder_of(layout)
    needed = _named_by_rows(layout, leaving) | {holder.run_id if holder else ""}
    return [run.run_id for run in old if run.run_id not in needed]


def _named_by_rows(layout: Layout, leaving: list[int]) -> set[str]:
    """The runs that rows of the snapshots that stay name, and those that published them."""
    stay = [s for s in committed(layout) if is_kept(layout, s) and s.number not in leaving]
    paths = [part.path for s in stay for part in s.parts if files.is_file(part.path)]
    named = {snapshot.run_id for snapshot in stay}
    if paths:
        with connect(layout, "256MB") as database:
            query = f"SELECT DISTINCT run_id FROM {rows_of(paths, 'union_by_name = true')}"
            named |= {run_id for (run_id,) in database.sql(query).fetchall()}
    return named


def _old_plans(
    layout: Layout, policy: Retention, runs: list[Manifest], gone: list[str], now: datetime
) -> Iterator[Surplus]:
    """Plans of runs that are published: nobody goes on with those."""
    for run in runs:
        ended, plan = _time(run.finished_at), layout.plan(run.run_id)
        old = ended and now - ended >= timedelta(days=policy.work_days)
        if run.status == PUBLISHED and old and run.run_id not in gone and files.is_file(plan):
            yield Surplus("plan", run.run_id, plan, plan.stat().st_size)


def _old_entries(layout: Layout, leaving: list[int], gone: list[str]) -> Iterator[Surplus]:
    """Log entries of which neither the snapshot nor the run is left; the first names the folder."""
    logged, there = committed(layout), set(_folders(layout, layout.runs))
    current = current_snapshot(layout)
    for snapshot in logged[1:-1]:
        kept = is_kept(layout, snapshot) and snapshot.number not in leaving
        known = snapshot.run_id in there and snapshot.run_id not in gone
        if not kept and not known and snapshot != current:
            path = layout.entry(snapshot.number)
            yield Surplus("log", str(snapshot.number), path, path.stat().st_size)


def _remove(layout: Layout, item: Surplus) -> None:
    dismiss(layout, item.kind, item.name)
    if item.kind == "snapshot":
        remove_snapshot(layout, int(item.name))
    elif item.kind == "work":
        discard_work(layout, item.name)
    elif item.kind == "quarantine":
        _remove_files(item.path, rejects_in(item.path))
    elif item.kind == "run":
        left = (
            layout.plan,
            layout.metrics,
            layout.manifest,
            layout.inputs,
            layout.report,
            layout.figures,
        )
        own = [path(item.name) for path in left]
        noted = [item.path / sink.FILE for sink in followers().values()]
        _remove_files(item.path, [*own, *noted])
    else:
        files.unlink(item.path)


def _remove_files(folder: Path, paths: list[Path]) -> None:
    """Removes files, and their folder if there is nothing else in it."""
    for path in paths:
        if files.is_file(path):
            files.unlink(path)
    if files.is_folder(folder) and not files.listed(folder):
        files.remove_folder(folder)


def _folders(layout: Layout, home: Path) -> list[str]:
    return [f.name for f in files.listed(home) if is_run_id(f.name) and files.is_folder(f)]


def _bytes(folder: Path, linked: bool = True) -> int:
    """Bytes on the disk of what is in a folder; without what has other names, if not `linked`."""
    found = [path.lstat() for path in folder.rglob("*") if files.is_file(path)]
    return sum(stat.st_size for stat in found if linked or stat.st_nlink == 1)


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
