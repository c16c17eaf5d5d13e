"""Planning a run: freeze the inputs, pin the models, cut shards, read everything once."""

import time
from dataclasses import replace

from tasks.corpus.index import build_index
from tasks.corpus.inputs import freeze_inputs
from tasks.corpus.shards import cut_shards
from tasks.errors import NocturnaError, QualityRefused, UsageError
from tasks.inference.device import pick_device
from tasks.inference.planned import plan_inference
from tasks.job import Job
from tasks.results.layout import Layout
from tasks.results.manifest import resumable_runs, write_manifest
from tasks.results.schema import results_schema
from tasks.steps.describe import planned_manifest
from tasks.steps.run import (
    Plan,
    code_version,
    load_plan,
    results_columns,
    save_plan,
    utc_now,
    work_of,
)


def plan_run(job: Job, layout: Layout, run_id: str) -> Plan:
    """Freezes what a run will do, or finds the stopped run that was about the same work.

    Args:
        job: what to do.
        layout: the job's output folder, locked.
        run_id: for a new run.

    Raises:
        UsageError: a model, file or column that cannot be used.
        QualityRefused: too many rows cannot be read; known before any model runs.
    """
    start = time.monotonic()
    inference = plan_inference(job)
    pick_device(job.compute.device)
    inputs = tuple(freeze_inputs(job.source))
    wanted = work_of(job, inputs, inference.config_id, code_version())
    plan = _stopped_run(layout, wanted)
    if plan is None:
        shards = tuple(cut_shards(job.source, inputs, job.shard_size))
        plan = Plan(
            run_id=run_id,
            started_at=utc_now(),
            code_version=code_version(),
            job=job,
            config_id=inference.config_id,
            inference=inference,
            inputs=inputs,
            shards=shards,
            index=build_index(job.source, inputs, shards, layout.index(run_id)),
            seconds=round(time.monotonic() - start, 3),
        )
    else:
        plan = replace(plan, job=job)
    results_schema(results_columns(plan, layout), job.name)
    save_plan(layout, plan)
    write_manifest(layout, planned_manifest(plan))
    _refuse_unreadable(plan)
    return plan


def _stopped_run(layout: Layout, wanted: str) -> Plan | None:
    for stopped in resumable_runs(layout):
        try:
            plan = load_plan(layout.plan(stopped.run_id))
        except NocturnaError:
            continue
        if work_of(plan.job, plan.inputs, plan.config_id, plan.code_version) == wanted:
            return plan
    return None


def _refuse_unreadable(plan: Plan) -> None:
    index, limit = plan.index, plan.job.quality.max_quarantined
    if not index.documents:
        raise UsageError(
            f"{_where(plan)}: none of its {index.read:,} rows is a document{_why(plan)}"
        )
    if index.rejected <= limit * index.read:
        return
    if index.example is not None and index.duplicates > limit * index.read:
        twice = index.example
        raise UsageError(
            f"{_where(plan)}: the id column {index.id_column!r} does not identify documents: "
            f"{index.duplicates:,} of {index.read:,} rows repeat an id, such as "
            f"{twice.doc_id!r} at {twice.first_uri}:{twice.first_row} and "
            f"{twice.again_uri}:{twice.again_row}; name another column with --id, or none"
        )
    raise QualityRefused(
        f"{_where(plan)}: {index.rejected:,} of {index.read:,} rows cannot be read, more than the "
        f"limit of {limit:.1%}{_why(plan)}; mend the source or raise --max-quarantined"
    )


def _where(plan: Plan) -> str:
    return plan.inputs[0].uri if len(plan.inputs) == 1 else f"{len(plan.inputs)} inputs"


def _why(plan: Plan) -> str:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in plan.index.reasons.items())
    return f" ({reasons})" if reasons else ""
