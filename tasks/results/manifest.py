"""The manifest of a run: what it did and with what, readable without Nocturna."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.corpus.records import InputFile, Shard
from tasks.errors import NocturnaError
from tasks.results import files
from tasks.results.layout import Layout
from tasks.results.lineage import note_event
from tasks.results.lock import holder_of
from tasks.results.records import Counts, to_json
from tasks.results.snapshots import Snapshot, committed_numbers, last_number, read_entry

RUNNING, READY, PUBLISHED = "running", "ready", "published"
REFUSED, FAILED, STOPPED, INTERRUPTED = "refused", "failed", "stopped", "interrupted"


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
            against fp32, on a sample of the run's documents.
        base: number of the snapshot that it was planned against, 0 for none.
        table: `uri` and `version` of the Delta table that shows the snapshot too.
        job: the job as it was given, defaults filled in.
        inputs: the files that were read.
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
    """

    run_id: str
    job_name: str
    status: str
    started_at: str
    job: dict[str, Any]
    inputs: tuple[InputUsed, ...] = ()
    scores: dict[str, Any] = field(default_factory=dict)
    precision: str = "fp32"
    backend: str = "torch"
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

    @property
    def documents_per_second(self) -> float:
        return (self.counts.scored + self.counts.failed) / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.counts.tokens / self.seconds if self.seconds else 0.0


def inputs_used(inputs: Sequence[InputFile], shards: Sequence[Shard]) -> tuple[InputUsed, ...]:
    """The inputs of a plan with the rows that its shards take from each."""
    rows = Counter[int]()
    for part in (part for shard in shards for part in shard.slices):
        rows[part.input] += part.rows
    return tuple(InputUsed(i.uri, i.size, i.fingerprint, rows[n]) for n, i in enumerate(inputs))


def write_manifest(layout: Layout, manifest: Manifest) -> None:
    """Writes `runs/<run_id>/manifest.json`; readers find the old one or the new, never a part.

    The lineage event of a new status is written first.
    """
    rates = {
        "documents_per_second": round(manifest.documents_per_second, 3),
        "tokens_per_second": round(manifest.tokens_per_second, 3),
        "padding": round(manifest.counts.padding, 5),
    }
    values = json.loads(to_json(manifest)) | rates
    with files.clear_errors(layout.root):
        note_event(layout, values)
        files.write_whole(layout.manifest(manifest.run_id), to_json(values))


def read_manifest(layout: Layout, run_id: str) -> Manifest:
    """The manifest of a run.

    Raises:
        NocturnaError: if there is none or it cannot be read; `nocturna runs` lists the runs.
    """
    path = layout.manifest(run_id)
    try:
        values = json.loads(path.read_bytes())
        for rate in ("documents_per_second", "tokens_per_second", "padding"):
            del values[rate]
        values["inputs"] = tuple(InputUsed(**i) for i in values["inputs"])
        values["counts"] = Counts(**values["counts"])
        return Manifest(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NocturnaError(
            f"{path}: no readable manifest ({error}); `nocturna runs` lists the runs"
        ) from error


def list_runs(layout: Layout) -> list[Manifest]:
    """The manifests of every run, oldest first, with the status that is true now.

    A run that the log commits is published, whatever its manifest had time to say; one that says
    running while nobody holds the lock for it was interrupted.
    """
    if not layout.runs.is_dir():
        return []
    published = {s.run_id: s for s in (read_entry(layout, n) for n in committed_numbers(layout))}
    holder = holder_of(layout)
    running = holder.run_id if holder else None
    folders = [f for f in layout.runs.iterdir() if layout.manifest(f.name).exists()]
    found = [_now(read_manifest(layout, f.name), published.get(f.name), running) for f in folders]
    return sorted(found, key=lambda m: (m.started_at, m.run_id))


def resumable_runs(layout: Layout) -> list[Manifest]:
    """Runs that have a plan and no snapshot, newest first: those that can go on.

    A run that was planned against an older snapshot than the current one cannot: what it found
    unchanged may have changed since. Whether one of the others may is for the caller to say: its
    inputs and configuration must be the same.
    """
    ended = {PUBLISHED, RUNNING, READY}
    bases = {None, last_number(layout)}
    runs = [m for m in list_runs(layout) if m.status not in ended and m.base in bases]
    return [m for m in reversed(runs) if layout.plan(m.run_id).exists()]


def settled(manifest: Manifest, snapshot: Snapshot) -> Manifest:
    """The manifest of a run whose snapshot is committed."""
    return replace(
        manifest,
        status=PUBLISHED,
        snapshot=snapshot.number,
        reason=snapshot.note,
        finished_at=manifest.finished_at or snapshot.published_at,
    )


def _now(manifest: Manifest, snapshot: Snapshot | None, running: str | None) -> Manifest:
    if snapshot is not None:
        return settled(manifest, snapshot)
    if manifest.status in {RUNNING, READY} and manifest.run_id != running:
        return replace(manifest, status=INTERRUPTED)
    return manifest
