"""The manifest of a run, from its plan and from what became of it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.inference.device import device_name, pick_device
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.job import Job
from nocturna.tasks.results import files
from nocturna.tasks.results import manifest as manifests
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.machine import machine_facts, package_versions
from nocturna.tasks.results.manifest import (
    InputUsed,
    Manifest,
    read_manifest,
    write_manifest,
)
from nocturna.tasks.results.score_fields import label_columns
from nocturna.tasks.run.accidents import place_of_path
from nocturna.tasks.run.frozen import FEW_INPUTS, Plan, running_of


def planned_manifest(plan: Plan) -> Manifest:
    """What the manifest of a run says from the start."""
    return Manifest(
        run_id=plan.run_id,
        job_name=plan.job.name,
        status=manifests.RUNNING,
        started_at=plan.started_at,
        base=plan.difference.base,
        job=recorded_job(plan.job),
        inputs=tuple(
            InputUsed(item.uri, item.size, item.fingerprint, item.rows) for item in plan.inputs
        ),
        n_inputs=plan.n_inputs,
        scores={score.name: described(score) for score in plan.inference.scores},
        precision=plan.inference.precision,
        backend=running_of(plan).backend,
        choice=asdict(plan.choice) if plan.choice else None,
        long_documents=plan.job.long_documents.model_dump(),
        versions={**package_versions(), "code": plan.code_version},
        machine=machine_facts(device_name(pick_device(plan.job.compute.device))),
    )


def recorded_job(job: Job) -> dict[str, Any]:
    """The job for readers, who may be in another folder: local paths of its source are absolute."""
    values = job.model_dump(mode="json")
    paths = [path if is_remote(path) else place_of_path(path) for path in job.source.paths]
    if paths:
        values["source"]["path"] = paths if len(paths) > 1 else paths[0]
    return values


def note_unrecorded(layout: Layout, run_id: str, reason: str | None) -> None:
    """Writes into a run's manifest that its engine did not record it, and why."""
    if reason is None or not layout.manifest(run_id).exists():
        return
    manifest = read_manifest(layout, run_id)
    if manifest.unrecorded is None:
        write_manifest(layout, replace(manifest, unrecorded=reason))


def write_inputs(layout: Layout, run_id: str, inputs: Sequence[InputFile]) -> None:
    """Writes all inputs of a run where they are too many for its manifest."""
    if len(inputs) <= FEW_INPUTS:
        return
    path = layout.inputs(run_id)
    columns = ("uri", "format", "compression", "size", "fingerprint", "rows")
    table = pa.table({name: [getattr(item, name) for item in inputs] for name in columns})
    with files.clear_errors(path):
        temporary = files.new_file(files.temporary_of(path))
        pq.write_table(table, temporary, compression="zstd")
        files.put_whole(temporary, path)


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
        "asked": score.asked,
        "labels_column": score.choices,
        "when": {name: list(labels) for name, labels in score.when.items()},
    }
