"""The precision of a run: chosen on its own texts where the job leaves it open, and measured."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from tasks.errors import NocturnaError
from tasks.inference.device import device_name, pick_device
from tasks.inference.precision import Choice, fastest, measure_precisions
from tasks.inference.running import running
from tasks.inference.scorer import Deviation, measure_deviation
from tasks.results.layout import Layout
from tasks.results.machine import machine_facts, package_versions
from tasks.results.manifest import read_manifest
from tasks.results.snapshots import current_snapshot
from tasks.steps.documents import read_planned
from tasks.steps.run import Plan

SAMPLE = 200
_LEAST, _SHARE = 64, 20
_CHOICE = TypeAdapter(Choice)
_DECIDING_PACKAGES = ("torch", "openvino", "transformers")


def measure_precision(layout: Layout, plan: Plan) -> Deviation | None:
    """Compares the scores of up to SAMPLE documents with those in fp32; None for fp32 itself."""
    if plan.inference.precision == "fp32" or not plan.shards:
        return None
    run = running(plan.job.compute, plan.inference.precision)
    return measure_deviation(plan.inference, _sample(layout, plan, SAMPLE), run)


def choose_precision(layout: Layout, plan: Plan) -> Choice:
    """The fastest precision within the job's tolerance, on a sample of the documents to score.

    What the run of the current snapshot chose is kept, as long as configuration and machine are the
    same and what it measured afterwards on its own documents stayed within the tolerance.
    """
    tolerance = plan.inference.tolerance
    assert tolerance is not None
    machine = _machine(plan)
    before = _choice_before(layout, plan)
    if before is not None and before.machine == machine:
        return before
    wanted = min(tolerance.sample, max(_LEAST, plan.delta.to_score // _SHARE))
    texts = _sample(layout, plan, wanted)
    measured = measure_precisions(plan.inference, texts, plan.job.compute, tolerance)
    return Choice(fastest(measured), len(texts), measured, plan.run_id, machine)


def _choice_before(layout: Layout, plan: Plan) -> Choice | None:
    snapshot, tolerance = current_snapshot(layout), plan.inference.tolerance
    if snapshot is None or tolerance is None:
        return None
    try:
        manifest = read_manifest(layout, snapshot.run_id)
        choice = _CHOICE.validate_python(manifest.choice)
    except (NocturnaError, ValidationError):
        return None
    after = manifest.deviation or {"largest": 0.0, "changed_top": 0, "documents": 0}
    within = (
        after["largest"] <= tolerance.score
        and after["changed_top"] <= tolerance.changed_labels * after["documents"]
    )
    configs = {name: score["config"] for name, score in manifest.scores.items()}
    return choice if within and configs == plan.inference.configs else None


def _sample(layout: Layout, plan: Plan, wanted: int) -> list[str]:
    """Texts to be scored, from shards spread over the corpus, as many of each."""
    step = max(1, len(plan.shards) // 8)
    chosen = plan.shards[::step]
    texts: list[str] = []
    for left, shard in zip(range(len(chosen), 0, -1), chosen, strict=True):
        work = read_planned(layout, plan, shard.index)
        asked = work.documents.filter(pa.array(work.asked))
        good = asked["text"].filter(pc.is_null(asked["error_code"]))
        texts += good.slice(0, -(-(wanted - len(texts)) // left)).to_pylist()
    return texts


def _machine(plan: Plan) -> str:
    facts = machine_facts(device_name(pick_device(plan.job.compute.device)))
    versions = package_versions()
    packages = [f"{name} {versions[name]}" for name in _DECIDING_PACKAGES if name in versions]
    facts_used = [str(facts[name]) for name in ("device", "processor", "cores")]
    return ", ".join([*facts_used, *packages])
