"""The manifest of a run, from its plan and from what became of it."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from tasks.inference.device import device_name, pick_device
from tasks.inference.planned import InferencePlan
from tasks.results import manifest as manifests
from tasks.results.layout import Layout
from tasks.results.machine import machine_facts, package_versions
from tasks.results.manifest import (
    InputUsed,
    Manifest,
    ModelUsed,
    read_manifest,
    write_manifest,
)
from tasks.results.schema import label_columns
from tasks.steps.run import Plan, running_of


def planned_manifest(plan: Plan) -> Manifest:
    """What the manifest of a run says from the start."""
    return Manifest(
        run_id=plan.run_id,
        job_name=plan.job.name,
        config_id=plan.config_id,
        status=manifests.RUNNING,
        started_at=plan.started_at,
        base=plan.delta.base,
        job=plan.job.model_dump(mode="json"),
        inputs=tuple(_inputs(plan)),
        models=tuple(_models(plan.inference)),
        precision=plan.inference.precision,
        backend=running_of(plan).backend,
        choice=asdict(plan.choice) if plan.choice else None,
        long_documents=plan.job.long_documents.model_dump(),
        versions={**package_versions(), "code": plan.code_version},
        machine=machine_facts(device_name(pick_device(plan.job.compute.device))),
    )


def note_unrecorded(layout: Layout, run_id: str, reason: str | None) -> None:
    """Writes into a run's manifest that its engine did not record it, and why."""
    if reason is None or not layout.manifest(run_id).exists():
        return
    manifest = read_manifest(layout, run_id)
    if manifest.unrecorded is None:
        write_manifest(layout, replace(manifest, unrecorded=reason))


def _inputs(plan: Plan) -> list[InputUsed]:
    rows = Counter[int]()
    for shard in plan.shards:
        for part in shard.slices:
            rows[part.input] += part.rows
    return [
        InputUsed(item.uri, item.size, item.fingerprint, rows[position])
        for position, item in enumerate(plan.inputs)
    ]


def _models(plan: InferencePlan) -> list[ModelUsed]:
    found = []
    if plan.sentiment:
        found.append(_used("sentiment", plan.sentiment, {}))
    if plan.topics:
        settings = {
            "method": plan.topics.method,
            "hypotheses": list(plan.topics.hypotheses),
            "multi_label": plan.topics.multi_label,
            "temperature": plan.topics.temperature,
        }
        if plan.topics.shortlist:
            settings["shortlist"] = {
                "size": plan.topics.shortlist.size,
                "model": plan.topics.shortlist.model.label,
            }
        found.append(_used("topic", plan.topics, settings))
    return found


def _used(task: str, part: Any, settings: dict[str, Any]) -> ModelUsed:
    return ModelUsed(
        task=task,
        name=part.model.name,
        revision=part.model.revision,
        weights=part.model.weights,
        labels=label_columns(task, part.labels),
        settings=settings,
    )
