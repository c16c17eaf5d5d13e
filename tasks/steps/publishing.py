"""Publishing a run: check what its shards hold, make it what readers see, sum it up."""

from dataclasses import replace

from tasks.results import manifest as manifests
from tasks.results.checks import Limits, check_run, refuse, write_metrics
from tasks.results.layout import Layout
from tasks.results.machine import peak_rss_bytes
from tasks.results.manifest import read_manifest, write_manifest
from tasks.results.records import ScoredShard, total, total_timings
from tasks.results.recovery import close_run, prune
from tasks.results.report import Summary, summarise
from tasks.results.schema import results_schema
from tasks.results.snapshots import publish
from tasks.steps.describe import planned_manifest
from tasks.steps.run import load_plan, results_columns, utc_now


def publish_run(layout: Layout, run_id: str, shards: list[ScoredShard], seconds: float) -> Summary:
    """Makes the rows of a run the snapshot that readers see.

    Args:
        shards: what every shard of the plan reported.
        seconds: wall-clock time of the run so far.

    Raises:
        QualityRefused: a gate did not pass; `results` stays as it was.
    """
    plan = load_plan(layout.plan(run_id))
    schema = results_schema(results_columns(plan, layout), plan.job.name)
    parts = [shard.part for shard in shards if shard.part is not None]
    counts = total(shards)
    checked = check_run(
        layout,
        parts,
        schema,
        counts,
        Limits(plan.job.quality.max_quarantined, plan.job.quality.max_failed),
        single_label=not results_columns(plan, layout).multi_label,
        aggregate=plan.job.long_documents.aggregate,
    )
    write_metrics(layout, run_id, checked)
    manifest = replace(
        planned_manifest(plan),
        status=manifests.READY,
        counts=counts,
        timings={"plan": plan.seconds, **total_timings(shards)},
        seconds=round(seconds, 3),
        peak_rss_bytes=peak_rss_bytes(),
        finished_at=utc_now(),
    )
    write_manifest(layout, manifest)
    refuse(layout, run_id, checked)
    snapshot = publish(layout, run_id, parts, schema)
    close_run(layout, snapshot)
    prune(layout)
    return summarise(layout, read_manifest(layout, run_id), checked.metrics)
