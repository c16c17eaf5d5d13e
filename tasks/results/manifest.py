"""The manifest of a run: what it did and with what, readable without Nocturna."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import aside
from nocturna.tasks.results.layout import Layout, is_run_id, start_of
from nocturna.tasks.results.lock import holder_of
from nocturna.tasks.results.log_entries import Snapshot, committed, current_snapshot, line_of
from nocturna.tasks.results.shard_records import Counts, to_json
from nocturna.tasks.results.sinks import tell_followers
from nocturna.tasks.results.stored import Stored, as_record, read_record

RUNNING, READY, PUBLISHED = "running", "ready", "published"
REFUSED, FAILED, STOPPED, INTERRUPTED = "refused", "failed", "stopped", "interrupted"
SKIPPED = "skipped"
"""It never began, because another run still held the folder."""
WITHDRAWN, UNREADABLE = "withdrawn", "unreadable"
"""What only `list_runs` says: it was published and rolled back; nothing tells how it ended."""

NO_MANIFEST = "it ended before it had a manifest, or that is lost"


@dataclass(frozen=True)
class InputUsed:
    """A file that was read.

    Attributes:
        uri: where it is, without credentials and query string.
        size: bytes as stored.
        fingerprint: what tells this content from another, e.g. `sha256:...`.
        rows: rows in it, good and bad together.
    """

    uri: str
    size: int
    fingerprint: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a run did and with what. Times are ISO 8601 in UTC, durations seconds.

    Attributes:
        status: running, ready (checked, about to be published), published, refused, failed or
            stopped.
        reason: why it was refused, failed or stopped, or why it was published nevertheless.
        snapshot: number of the snapshot that it published.
        summaries: documents by summary status, what they cost, and why they stopped early.
        deviation: of a precision other than fp32: largest change of a score and changed top labels
            against fp32, on how many documents since when, and of these `tonight`: the run's own.
        base: number of the snapshot that it was planned against, 0 for none.
        unrecorded: why the engine recorded nothing of the run, or not all of it.
        sinks: `uri` and `version` of the further places that show the snapshot too, by sink.
        table: the one of them that is a table with versions.
        job: the job as it was given, defaults filled in and local paths of its source absolute.
        inputs: the files that were read; of many the first ones, all are in `inputs.parquet`.
        n_inputs: how many they are.
        scores: what each score is, by its name: kind, config, exact models, the column of each
            label, settings, condition.
        precision: number format of the models.
        backend: what ran the models.
        choice: where the job left the precision open: what was measured, and on how many documents.
        long_documents: what happened to texts beyond the window: policy, overlap, aggregate.
        versions: of Nocturna, Python and the packages that decide results.
        machine: device, processor, cores, memory, system.
        timings: seconds by stage, added up over shards.
        seconds: wall-clock time of this attempt.
        peak_rss_bytes: most memory that the process held.
        problem: what of the file could not be read, in words; not in the file.
    """

    run_id: str
    job_name: str
    status: str
    started_at: str
    job: dict[str, Any]
    inputs: tuple[InputUsed, ...] = ()
    n_inputs: int = 0
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    precision: str = "fp32"
    backend: str = ""
    choice: dict[str, Any] | None = None
    long_documents: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    timings: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    peak_rss_bytes: int = 0
    finished_at: str | None = None
    reason: str | None = None
    snapshot: int | None = None
    summaries: dict[str, Any] | None = None
    deviation: dict[str, Any] | None = None
    base: int | None = None
    table: dict[str, Any] | None = None
    sinks: dict[str, dict[str, Any]] = field(default_factory=dict)
    unrecorded: str | None = None
    problem: str | None = None

    @property
    def documents_per_second(self) -> float:
        return (self.counts.scored + self.counts.failed) / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.counts.tokens / self.seconds if self.seconds else 0.0


def write_manifest(layout: Layout, manifest: Manifest) -> None:
    """Writes `runs/<run_id>/manifest.json`; readers find the old one or the new, never a part.

    The sinks that follow runs are told first.
    """
    rates = {
        "documents_per_second": round(manifest.documents_per_second, 3),
        "tokens_per_second": round(manifest.tokens_per_second, 3),
        "padding": round(manifest.counts.padding, 5),
    }
    values = json.loads(to_json(manifest)) | rates
    del values["problem"]
    with files.clear_errors(layout.root):
        tell_followers(layout, values)
        files.write_whole(layout.manifest(manifest.run_id), as_record(values))


def stored_manifest(layout: Layout, run_id: str) -> Stored[Manifest] | None:
    """What can be read of the manifest of a run; None if there is none."""
    found = read_record(layout.manifest(run_id), Manifest, _known(layout, run_id))
    if found is None or found.value is None:
        return found
    value = replace(found.value, run_id=run_id, problem=found.problem)
    return replace(found, value=value)


def read_manifest(layout: Layout, run_id: str) -> Manifest:
    """The manifest of a run, as far as it can be read.

    Raises:
        NocturnaError: if there is none, or nothing of it can be read.
    """
    found = stored_manifest(layout, run_id)
    if found is None or found.value is None:
        problem = found.problem if found else "is not there"
        raise NocturnaError(f"{layout.manifest(run_id)}: {problem}; `nocturna runs` lists the runs")
    return found.value


def run_folders(layout: Layout) -> list[str]:
    """The ids of the runs that have a folder, oldest first; what a user put there is no run."""
    found = (f.name for f in files.listed(layout.runs) if files.is_folder(f))
    return [name for name in found if is_run_id(name)]


def list_runs(layout: Layout) -> list[Manifest]:
    """What can be read of every run, oldest first, with the status that is true now.

    A run that the log commits is published, whatever its manifest had time to say, or withdrawn
    if `results` was rolled back behind it; one that says running while nobody holds the lock for
    it was interrupted. A run whose manifest cannot be read is there too, with the reason why.
    Never raises for what is on the disk.
    """
    published = {s.run_id: s for s in committed(layout) if s.back_to is None}
    line = {s.number for s in line_of(layout)}
    holder = holder_of(layout)
    running = holder.run_id if holder else None
    runs = [
        _now(_listed(layout, run_id), published.get(run_id), line, running)
        for run_id in run_folders(layout)
    ]
    return sorted(runs, key=lambda m: (m.started_at, m.run_id))


def resumable_runs(layout: Layout) -> list[Manifest]:
    """Runs that have a plan and no snapshot, newest first: those that can go on.

    A run that was planned against an older snapshot than the current one cannot: what it found
    unchanged may have changed since. Whether one of the others may is for the caller to say: its
    inputs and configuration must be the same.
    """
    ended = {PUBLISHED, WITHDRAWN, RUNNING, READY}
    current = current_snapshot(layout)
    bases = {None, current.number if current else 0}
    runs = [m for m in list_runs(layout) if m.status not in ended and m.base in bases]
    return [m for m in reversed(runs) if files.is_file(layout.plan(m.run_id))]


def settled(manifest: Manifest, snapshot: Snapshot) -> Manifest:
    """The manifest of a run whose snapshot is committed."""
    return replace(
        manifest,
        status=PUBLISHED,
        snapshot=snapshot.number,
        reason=snapshot.note,
        finished_at=manifest.finished_at or snapshot.published_at,
    )


def _known(layout: Layout, run_id: str) -> dict[str, Any]:
    """What follows of a run from where its manifest is."""
    return {
        "run_id": run_id,
        "job_name": layout.job_name,
        "status": UNREADABLE,
        "started_at": start_of(run_id),
        "job": {},
    }


def _listed(layout: Layout, run_id: str) -> Manifest:
    found = stored_manifest(layout, run_id)
    if found is not None and found.value is not None:
        return found.value
    unread = Manifest(**_known(layout, run_id))
    if found is not None:
        return replace(unread, reason=f"its manifest cannot be read: it {found.problem}")
    place = aside(layout, layout.manifest(run_id))
    if place is not None:
        return replace(unread, reason=f"its manifest cannot be read: see {place}")
    return replace(unread, status=INTERRUPTED, reason=NO_MANIFEST)


def _now(
    manifest: Manifest, snapshot: Snapshot | None, line: set[int], running: str | None
) -> Manifest:
    if snapshot is not None:
        now = settled(manifest, snapshot)
        if snapshot.number not in line:
            now = replace(now, status=WITHDRAWN)
        return replace(now, reason=now.reason or _unread(manifest))
    if manifest.run_id == running and manifest.reason == NO_MANIFEST:
        return replace(manifest, status=RUNNING, reason=None)
    if manifest.status in {RUNNING, READY} and manifest.run_id != running:
        manifest = replace(manifest, status=INTERRUPTED)
    return replace(manifest, reason=manifest.reason or _unread(manifest))


def _unread(manifest: Manifest) -> str | None:
    """Why not all is known of a run."""
    if manifest.status == UNREADABLE and manifest.reason:
        return manifest.reason
    return f"of its manifest, {manifest.problem}" if manifest.problem else None
