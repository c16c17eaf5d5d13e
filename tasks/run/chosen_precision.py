"""The precision of a run, chosen on its own texts where the job leaves it open."""

import numpy as np
from pydantic import TypeAdapter, ValidationError

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.inference.backends import packages
from nocturna.tasks.inference.device import device_name, pick_device
from nocturna.tasks.inference.precision import Choice, fastest, measure_precisions
from nocturna.tasks.inference.scorer import Known
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.machine import machine_facts, package_versions
from nocturna.tasks.results.manifest import read_manifest
from nocturna.tasks.results.snapshots import current_snapshot
from nocturna.tasks.run.documents import read_documents, to_score
from nocturna.tasks.run.frozen import Plan

_LEAST, _SHARE = 64, 20
_CHOICE = TypeAdapter(Choice)


def choose_precision(layout: Layout, plan: Plan) -> Choice:
    """The fastest precision within the job's tolerance, on a sample of the documents to score.

    What the run of the current snapshot chose is kept, as long as configuration and machine are the
    same and what it measured afterwards on its own documents stayed within the tolerance.
    """
    tolerance = plan.inference.tolerance
    assert tolerance is not None
    machine = machine_of(plan)
    before = _choice_before(layout, plan)
    if before is not None and before.machine == machine:
        return before
    wanted = min(tolerance.sample, max(_LEAST, plan.difference.to_score // _SHARE))
    texts, known = sample_of(layout, plan, wanted)
    measured = measure_precisions(plan.inference, texts, plan.job.compute, tolerance, known)
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
    nothing = {"largest": 0.0, "changed_top": 0, "documents": 0}
    after = (manifest.deviation or {}).get("tonight") or nothing
    within = (
        after["largest"] <= tolerance.score
        and after["changed_top"] <= tolerance.changed_labels * after["documents"]
    )
    configs = {name: score["config"] for name, score in manifest.scores.items()}
    return choice if within and configs == plan.inference.configs else None


def sample_of(layout: Layout, plan: Plan, wanted: int) -> tuple[list[str], Known]:
    """Texts to be scored, from shards spread over the corpus, as many of each.

    Returns:
        the texts, and what is known of them: their languages and their own labels.
    """
    step = max(1, len(plan.shards) // 8)
    chosen = range(len(plan.shards))[::step]
    texts: list[str] = []
    languages: list[str | None] = []
    choices: dict[str, list[tuple[str, ...]]] = {}
    pairs: dict[str, list[str | None]] = {}
    for left, shard in zip(range(len(chosen), 0, -1), chosen, strict=True):
        work = read_documents(layout, plan, shard)
        found = to_score(plan, work)
        asked = np.arange(len(found.texts))[: -(-(wanted - len(texts)) // left)]
        known = found.known.at(asked)
        texts += [found.texts[i] for i in asked]
        languages += known.languages
        for column, own in known.choices.items():
            choices.setdefault(column, []).extend(own)
        for column, others in known.pairs.items():
            pairs.setdefault(column, []).extend(others)
    return texts, Known(languages=languages, choices=choices, pairs=pairs)


def machine_of(plan: Plan) -> str:
    """The device, processor and packages that decide how fast and how exact a precision is."""
    facts = machine_facts(device_name(pick_device(plan.job.compute.device)))
    versions = package_versions()
    deciding = (*packages(), "transformers")
    named = [f"{name} {versions[name]}" for name in deciding if name in versions]
    facts_used = [str(facts[name]) for name in ("device", "processor", "cores")]
    return ", ".join([*facts_used, *named])
