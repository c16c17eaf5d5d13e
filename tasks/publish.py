"""The steps that publish a run: check its rows, make them what readers see, send them on."""

from dataclasses import asdict, replace
from datetime import UTC, datetime

from nocturna.tasks.errors import NocturnaError, QualityRefused, UsageError
from nocturna.tasks.inference.backends import let_go
from nocturna.tasks.results import manifest as manifests
from nocturna.tasks.results.carry import next_parts
from nocturna.tasks.results.checks import check_run, read_checked, refuse, write_metrics
from nocturna.tasks.results.configs import note_configs
from nocturna.tasks.results.difference import set_damaged_aside
from nocturna.tasks.results.done_shards import load_shard
from nocturna.tasks.results.ending import note_failure
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.machine import give_memory_back, peak_rss_bytes
from nocturna.tasks.results.manifest import Manifest, read_manifest, write_manifest
from nocturna.tasks.results.recovery import close_run
from nocturna.tasks.results.report import Summary, summarise
from nocturna.tasks.results.schema import results_schema
from nocturna.tasks.results.sending import send
from nocturna.tasks.results.shard_records import ScoredShard, total, total_timings
from nocturna.tasks.results.snapshots import committed_snapshot, flip, publish
from nocturna.tasks.run.accidents import identity_for
from nocturna.tasks.run.describe import planned_manifest
from nocturna.tasks.run.deviation import standing_deviation
from nocturna.tasks.run.frozen import Plan, load_plan, results_columns, utc_now
from nocturna.tasks.run.gold_night import measure_gold
from nocturna.tasks.run.kept_summaries import Summarised
from nocturna.tasks.step import step

_MANY_ROWS = 50_000
"""Rows of a corpus from which on the models make room for the checks of its results."""


@step("publish")
def publish_results(
    layout: Layout,
    run_id: str,
    shards: list[ScoredShard],
    summaries: Summarised | None,
    seconds: float,
) -> Summary:
    """Makes the rows of a run the snapshot that readers see.

    Args:
        shards: what every shard of the plan reported.
        summaries: what became of the summaries, if the job wants any.
        seconds: wall-clock time of the run so far.

    Raises:
        QualityRefused: a gate did not pass; `results` stays as it was.
    """
    if committed_snapshot(layout, run_id) is not None:
        return _published(layout, run_id)
    plan = load_plan(layout.plan(run_id))
    columns = results_columns(plan, layout)
    schema = results_schema(columns, plan.job.name)
    parts = [shard.part for shard in shards]
    index = plan.index
    counts = total(shards, index.read, index.rejected, index.superseded, plan.difference.unchanged)
    if counts.read > _MANY_ROWS:
        let_go()
        give_memory_back()
    together = next_parts(
        layout,
        run_id,
        plan.difference,
        parts,
        schema,
        first_number=len(plan.shards),
        fill=plan.job.output.other_columns == "fill",
    )
    checked = check_run(
        layout,
        parts,
        schema,
        counts,
        plan.job.quality,
        scores=columns.scores,
        aggregate=plan.job.long_documents.aggregate,
        snapshot=together,
        language=plan.job.language,
        gold=measure_gold(layout, plan.job, together, schema),
        snapshot_rows=counts.scored + counts.failed + counts.rewritten + plan.difference.carried,
    )
    write_metrics(layout, run_id, checked)
    timings = total_timings(shards)
    deviation = standing_deviation(layout, plan, timings.get("infer", 0.0))
    manifest = replace(
        planned_manifest(plan),
        status=manifests.READY,
        counts=counts,
        summaries=asdict(summaries) if summaries else None,
        deviation=asdict(deviation) if deviation else None,
        timings={"plan": plan.seconds, **timings},
        seconds=round(seconds, 3),
        peak_rss_bytes=peak_rss_bytes(),
        finished_at=utc_now(),
    )
    write_manifest(layout, manifest)
    refuse(layout, run_id, checked)
    _note_configs(layout, manifest)
    identity = identity_for(plan.job, schema, plan.index.documents)
    publish(layout, run_id, together, schema, identity=identity)
    set_damaged_aside(layout, plan.difference)
    return _published(layout, run_id)


@step("mirror")
def mirror_results(layout: Layout, summary: Summary) -> Summary:
    """Makes the further places that the plan names hold what the run has published."""
    return send(layout, load_plan(layout.plan(summary.run_id)).job.output, summary)


def publish_shares(layout: Layout, run_id: str) -> Summary:
    """Publishes a run whose shards were scored in shares, by any machines.

    Call it with the lock held, after recovery.

    Raises:
        UsageError: it is not a run that is being scored.
        NocturnaError: shards are missing.
        QualityRefused: a gate did not pass; `results` stays as it was.
    """
    if run_id not in {run.run_id for run in manifests.resumable_runs(layout)}:
        status = read_manifest(layout, run_id).status
        raise UsageError(
            f"run {run_id} is {status}: only a run that is scored in parts, or that a gate refused "
            "and --accept lets pass, is published by hand"
        )
    plan = load_plan(layout.plan(run_id))
    shards = _done(layout, plan, "not scored yet; score the parts that are missing")
    began = datetime.fromisoformat(plan.started_at)
    seconds = (datetime.now(UTC) - began).total_seconds()
    try:
        summary = publish_results(layout, run_id, shards, None, seconds)
    except QualityRefused as refused:
        note_failure(layout, run_id, refused, seconds=seconds)
        raise
    return send(layout, plan.job.output, summary)


def _done(layout: Layout, plan: Plan, otherwise: str) -> list[ScoredShard]:
    """Every shard of a run.

    Args:
        otherwise: what is said of those that are not whole.
    """
    schema = results_schema(results_columns(plan, layout), plan.job.name)
    found = [load_shard(layout, plan.run_id, s, n, schema) for s, n in enumerate(plan.shards)]
    missing = [str(number) for number, shard in enumerate(found) if shard is None]
    if missing:
        some = ", ".join(missing[:10]) + (" and others" if len(missing) > 10 else "")
        raise NocturnaError(
            f"{layout.work(plan.run_id)}: {len(missing):,} of {len(found):,} shards ({some}) are "
            f"{otherwise}"
        )
    return [shard for shard in found if shard is not None]


def accept_run(layout: Layout, run_id: str, reason: str) -> Summary:
    """Publishes a run that the soft gates refused, because a person says so.

    Call it with the lock held, after recovery.

    Args:
        reason: why; kept in the log and in the run's manifest.

    Raises:
        UsageError: the run was not refused, or no reason is given.
        QualityRefused: a hard gate did not pass: those cannot be accepted.
        NocturnaError: another run published since, or a shard is damaged.
    """
    status = read_manifest(layout, run_id).status
    if status != manifests.REFUSED:
        raise UsageError(f"run {run_id} was not refused: it is {status}")
    if not reason.strip():
        raise UsageError("--accept needs a reason; it is kept with the run")
    checked = read_checked(layout, run_id)
    if not checked.checks:
        raise NocturnaError(
            f"{layout.metrics(run_id)}: what was found wrong cannot be read any more; "
            "score the corpus again"
        )
    refuse(layout, run_id, checked, accepted=reason)
    plan = load_plan(layout.plan(run_id))
    schema = results_schema(results_columns(plan, layout), plan.job.name)
    parts = [shard.part for shard in _done(layout, plan, "gone or damaged; score the corpus again")]
    together = next_parts(layout, run_id, plan.difference, parts, schema, len(parts))
    _note_configs(layout, read_manifest(layout, run_id))
    identity = identity_for(plan.job, schema, plan.index.documents)
    publish(layout, run_id, together, schema, note=reason.strip(), identity=identity)
    set_damaged_aside(layout, plan.difference)
    return send(layout, plan.job.output, _published(layout, run_id))


def _note_configs(layout: Layout, manifest: Manifest) -> None:
    about = {
        "precision": manifest.precision,
        "long_documents": manifest.long_documents,
        "code_version": manifest.versions.get("code"),
        "run_id": manifest.run_id,
    }
    note_configs(layout, manifest.scores, about)


def _published(layout: Layout, run_id: str) -> Summary:
    """What is left to do once a run is committed, also by an earlier attempt at it."""
    snapshot = committed_snapshot(layout, run_id)
    assert snapshot is not None
    flip(layout, snapshot)
    close_run(layout, snapshot)
    checked = read_checked(layout, run_id)
    warnings = [check.said_of(run_id) for check in checked.warnings]
    return summarise(layout, read_manifest(layout, run_id), checked.metrics, warnings)
