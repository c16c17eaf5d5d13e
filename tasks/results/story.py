"""The whole story of one run, from what it left on the disk; nothing here needs the job again."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from nocturna.tasks.results import files
from nocturna.tasks.results.check import Check
from nocturna.tasks.results.checks import read_checked
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.lock import holder_of
from nocturna.tasks.results.manifest import (
    FAILED,
    INTERRUPTED,
    PUBLISHED,
    READY,
    REFUSED,
    RUNNING,
    SKIPPED,
    STOPPED,
    Manifest,
    list_runs,
    resumable_runs,
)
from nocturna.tasks.results.parts import rejects_in

_SHARD = re.compile(r"shard-[0-9]{5,}\.json")


@dataclass(frozen=True)
class Story:
    """A run as an operator asks about it.

    Attributes:
        manifest: what it did and with what.
        checks: the quality checks, in the order in which they were made.
        metrics: what the checks measured.
        quarantined: rows that could not be read, by reason.
        quarantine: folder that holds them; None where there are none.
        results: what readers find of it: the snapshot's folder; None where that is gone.
        shards_done: how many of its shards are finished, for a run that did not publish.
        go_on: what a person can do now, a line each.
    """

    manifest: Manifest
    checks: tuple[Check, ...]
    metrics: dict[str, Any]
    quarantined: dict[str, int]
    quarantine: str | None
    results: str | None
    shards_done: int
    go_on: tuple[str, ...]


def story_of(layout: Layout, run_id: str) -> Story:
    """Everything that is known of a run."""
    manifest = next(run for run in list_runs(layout) if run.run_id == run_id)
    checked = read_checked(layout, run_id)
    quarantine = layout.quarantine(run_id)
    snapshot = layout.snapshot(manifest.snapshot) if manifest.snapshot else None
    work = files.listed(layout.work(run_id))  # which is for its owner only
    done = sum(_SHARD.fullmatch(path.name) is not None for path in work)
    resumable = any(run.run_id == run_id for run in resumable_runs(layout))
    return Story(
        manifest=manifest,
        checks=checked.checks,
        metrics=checked.metrics,
        quarantined=_reasons(layout, run_id),
        quarantine=str(quarantine) if quarantine.is_dir() else None,
        results=str(snapshot) if snapshot is not None and snapshot.is_dir() else None,
        shards_done=done,
        go_on=tuple(_ways_on(layout, manifest, checked.failed, done, resumable)),
    )


def _reasons(layout: Layout, run_id: str) -> dict[str, int]:
    import pyarrow.parquet as pq

    found = Counter[str]()
    for path in rejects_in(layout.quarantine(run_id)):
        try:
            found.update(pq.read_table(path, columns=["reason"])["reason"].to_pylist())
        except (OSError, ValueError, KeyError):
            found[f"unreadable file {path.name}"] += 1
    return dict(found.most_common())


def _ways_on(
    layout: Layout, run: Manifest, failed: tuple[Check, ...], done: int, resumable: bool
) -> list[str]:
    if run.status == PUBLISHED:
        return []
    if run.status in (RUNNING, READY):
        holder = holder_of(layout)
        return [f"it is still going on, process {holder.pid} on {holder.host}"] if holder else []
    if run.status == SKIPPED:
        return ["nothing to do, if the run that was in its way has ended: the next one starts anew"]
    ways = []
    if run.status == REFUSED and failed and not any(check.hard for check in failed):
        ways.append(
            f"look at the rows in {layout.work(run.run_id)}, then publish them all the same: "
            f"nocturna publish {run.run_id} --accept REASON --out {layout.out}"
        )
    if run.status == REFUSED:
        ways.append("or mend the source, or raise the limit, and run the same command again")
    elif run.status in (FAILED, STOPPED, INTERRUPTED) and resumable:
        kept = f"{done} finished shards" if done else "its plan"
        ways.append(f"run the same command again: it goes on from {kept}")
    elif run.status in (FAILED, STOPPED, INTERRUPTED):
        ways.append("run the same command again: it starts anew")
    return ways
