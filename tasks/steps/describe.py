"""The manifest of a run, from its plan and from what became of it."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from tasks.errors import QualityRefused, Stopped
from tasks.inference.device import device_name, pick_device
from tasks.inference.running import running
from tasks.inference.score_plan import ScorePlan
from tasks.results import manifest as manifests
from tasks.results.layout import Layout
from tasks.results.machine import machine_facts, package_versions
from tasks.results.manifest import (
    InputUsed,
    Manifest,
    read_manifest,
    write_manifest,
)
from tasks.results.schema import label_columns
from tasks.steps.run import Plan, utc_now, without_secrets


def planned_manifest(plan: Plan) -> Manifest:
    """What the manifest of a run says from the start."""
    return Manifest(
        run_id=plan.run_id,
        job_name=plan.job.name,
        status=manifests.RUNNING,
        started_at=plan.started_at,
        base=plan.delta.base,
        job=without_secrets(plan.job).model_dump(mode="json"),
        inputs=tuple(_inputs(plan)),
        scores={score.name: described(score) for score in plan.inference.scores},
        precision=plan.inference.precision,
        backend=running(plan.job.compute, plan.inference.precision).backend,
        choice=asdict(plan.choice) if plan.choice else None,
        long_documents=plan.job.long_documents.model_dump(),
        versions={**package_versions(), "code": plan.code_version},
        machine=machine_facts(device_name(pick_device(plan.job.compute.device))),
    )


def note_failure(layout: Layout, run_id: str, error: BaseException) -> None:
    """Writes into a run's manifest how it ended, where it has one and is not published."""
    if not layout.manifest(run_id).exists():
        return
    manifest = read_manifest(layout, run_id)
    if manifest.status == manifests.PUBLISHED:
        return
    status = manifests.FAILED
    if isinstance(error, QualityRefused):
        status = manifests.REFUSED
    elif isinstance(error, Stopped):
        status = manifests.STOPPED
    reason = str(error) or type(error).__name__
    write_manifest(layout, replace(manifest, status=status, reason=reason, finished_at=utc_now()))


def _inputs(plan: Plan) -> list[InputUsed]:
    rows = Counter[int]()
    for shard in plan.shards:
        for part in shard.slices:
            rows[part.input] += part.rows
    return [
        InputUsed(item.uri, item.size, item.fingerprint, rows[position])
        for position, item in enumerate(plan.inputs)
    ]


def described(score: ScorePlan) -> dict[str, Any]:
    """What a score is, as plain values: what its config stands for."""
    return {
        "kind": score.kind,
        "config": score.config,
        "models": {
            part: {"name": model.name, "revision": model.revision, "weights": model.weights}
            for part, model in score.models.items()
        },
        "labels": label_columns(score.name, score.labels) if score.gives == "labels" else {},
        "settings": score.settings,
        "gives": score.gives,
        "labels_column": score.choices,
        "when": {name: list(labels) for name, labels in score.when.items()},
    }
