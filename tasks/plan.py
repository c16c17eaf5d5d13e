"""The step that plans a run: compare what was staged with what is published, and cut shards."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from nocturna.tasks.corpus.index import build_index, kept_schema, retype
from nocturna.tasks.enrichment.estimate import Estimate, estimate
from nocturna.tasks.enrichment.summary_records import DocumentText
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.inference.backends import AUTO, REFERENCE
from nocturna.tasks.inference.device import shards_at_once
from nocturna.tasks.inference.facts import was_used
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.source import EVERY
from nocturna.tasks.results import files
from nocturna.tasks.results.carried_types import types_with_carried, with_columns_before
from nocturna.tasks.results.difference import Difference, base_is_whole, describe, find_difference
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.machine import give_memory_back
from nocturna.tasks.results.manifest import resumable_runs, write_manifest
from nocturna.tasks.results.schema import Columns, kept_columns, results_schema
from nocturna.tasks.results.sinks import asked_for
from nocturna.tasks.results.work_digests import digests_of, is_whole_work
from nocturna.tasks.run.accidents import identity_for, refuse_accidents
from nocturna.tasks.run.chosen_precision import choose_precision
from nocturna.tasks.run.cutting import cut_shards
from nocturna.tasks.run.describe import planned_manifest, write_inputs
from nocturna.tasks.run.documents import Documents, read_documents
from nocturna.tasks.run.frozen import (
    FEW_INPUTS,
    SUMMARY,
    Plan,
    columns_of,
    load_plan,
    running_of,
    save_plan,
    summary_config_of,
    utc_now,
    wanted_of,
    work_of,
)
from nocturna.tasks.run.kept_summaries import state_folder
from nocturna.tasks.run.known_texts import lacks_texts
from nocturna.tasks.run.runners import runner_of
from nocturna.tasks.run.shelf import drop_texts, link
from nocturna.tasks.run.staged_run import StagedRun, stage_job, trial_of
from nocturna.tasks.run.unreadable import (
    is_quarantined,
    quarantine,
    refuse_unreadable,
    tell_unreadable,
)
from nocturna.tasks.step import step
from nocturna.tasks.version import code_version

FEW_DOCUMENTS = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """What the flow needs to know of a plan; the plan itself is in the run's folder.

    Attributes:
        layout: the output folder, where the plan is.
        to_score: documents that are new or changed.
        summaries: whether it asks for any.
        sinks: whether the results go to further places.
        outlook: one line that says what there is to do.
    """

    layout: Layout
    run_id: str
    shards: int
    to_score: int
    summaries: bool
    sinks: bool
    outlook: str


@step("plan")
def plan_corpus(job: Job, run_id: str, staged: StagedRun) -> Planned:
    """Freezes what a run will do, or finds the stopped run that is about the same work."""
    plan = plan_run(job, run_id, staged)
    give_memory_back()  # the models are loaded next
    return Planned(
        layout=staged.layout,
        run_id=plan.run_id,
        shards=len(plan.shards),
        to_score=plan.difference.to_score,
        summaries=job.summaries.enabled,
        sinks=bool(asked_for(job.output)),
        outlook=_outlook_line(plan),
    )


def plan_run(job: Job, run_id: str, staged: StagedRun) -> Plan:
    """As `plan_corpus`.

    Args:
        job: what to do; its output folder is locked.
        run_id: for a new run.

    Raises:
        UsageError: the results would not go with what is published, or nothing is a document.
        QualityRefused: too many rows cannot be read; known before any model runs.
    """
    layout = staged.layout
    wanted = work_of(job, staged.corpus.inputs, staged.inference, code_version())
    stopped = _stopped_run(layout, wanted)
    plan = replace(stopped, job=job) if stopped else _new_plan(job, run_id, staged)
    if not stopped:
        quarantine(layout, plan)
    save_plan(layout, plan)
    write_manifest(layout, planned_manifest(plan))
    write_inputs(layout, plan.run_id, staged.corpus.inputs)
    drop_texts(staged.corpus)
    try:
        refuse_unreadable(plan)
    except NocturnaError as error:
        if not plan.index.rejected:
            raise
        raise type(error)(f"{error}; {layout.quarantine(plan.run_id)} holds them") from None
    return plan


@dataclass(frozen=True)
class Outlook:
    """What a run would do.

    Attributes:
        line: the documents that it would score, and the rows that cannot be read.
        quarantined: how many rows cannot be read.
        cost: of the summaries, if the job wants any.
    """

    line: str
    documents: Difference
    quarantined: int
    cost: Estimate | None


def outlook(job: Job, layout: Layout, run_id: str) -> Outlook:
    """What a run would do and what its summaries would cost; leaves nothing behind.

    Args:
        layout: the job's output folder, locked.
        run_id: names what is kept while it works.
    """
    try:
        plan = _new_plan(job, run_id, stage_job(job, run_id, rehearsal=True), rehearsal=True)
        refuse_unreadable(plan)
        cost = None
        if job.summaries.enabled:
            documents = (
                DocumentText(doc_id, text)
                for shard in range(len(plan.shards))
                for doc_id, text in _texts(read_documents(layout, plan, shard))
            )
            cost = estimate(documents, job.summaries, job.language, state_folder(job))
        return Outlook(_outlook_line(plan), plan.difference, plan.index.rejected, cost)
    finally:
        files.remove_folder(layout.work(run_id))


def _outlook_line(plan: Plan) -> str:
    return "; ".join(filter(None, (describe(plan.difference), tell_unreadable(plan.index))))


def _new_plan(job: Job, run_id: str, staged: StagedRun, rehearsal: bool = False) -> Plan:
    start = time.monotonic() - staged.seconds
    layout, inference = staged.layout, staged.inference
    with files.clear_errors(layout.root):
        building = files.temporary_of(layout.index(run_id))
        files.remove_folder(building)
        files.make_folder(building, private=True)
        index = build_index(staged.corpus, building, link, trial_of(job))
        files.put_folder(building, layout.index(run_id))
    summary_config = summary_config_of(job)

    drop = job.output.deletions == "drop" or job.once.is_trial

    def compared(kept: pa.Schema) -> tuple[Columns, Callable[..., Difference], Difference]:
        columns = columns_of(job, inference, kept)
        answers = wanted_of(columns, summary_config, job.name)
        compare = partial(find_difference, layout, run_id, answers, full=job.full)
        return columns, compare, compare(drop_vanished=drop)

    kept = _kept_tonight(job, layout, run_id)
    columns, compare, difference = compared(kept)
    held = types_with_carried(layout, layout.index(run_id), kept, kept_columns(columns), difference)
    if held != kept:
        retype(layout.index(run_id), held)
        columns, compare, difference = compared(held)
    schema = results_schema(columns, job.name)
    try:
        for sink in asked_for(job.output).values():
            sink.check_columns(job.output, schema)
        identity = identity_for(job, schema, index.documents)
        allowed = refuse_accidents(layout, job, identity, difference)
    except UsageError:
        files.remove_folder(layout.work(run_id))
        raise
    if job.once.replace and any(accident.strange_rows for accident in allowed):
        difference = compare(drop_vanished=True)
    shards = cut_shards(
        layout,
        run_id,
        staged.corpus,
        held,
        job.shard_size,
        (shards_at_once if rehearsal else runner_of(job.compute).at_once)(job.compute),
        all_texts=job.output.keep_text and lacks_texts(layout),
    )
    plan = Plan(
        run_id=run_id,
        started_at=utc_now(),
        code_version=code_version(),
        job=job,
        summary_config=summary_config,
        inference=inference,
        inputs=staged.corpus.inputs[:FEW_INPUTS],
        n_inputs=len(staged.corpus.inputs),
        work=work_of(job, staged.corpus.inputs, inference, code_version()),
        shards=shards,
        index=index,
        difference=difference,
        seconds=0.0,
        digests=digests_of(layout, run_id),
    )
    if inference.tolerance and not rehearsal:
        choice = choose_precision(layout, plan)
        chosen = replace(inference, precision=choice.precision)
        plan = replace(plan, inference=chosen, choice=choice)
    plan = replace(plan, backend=backend_for(plan))
    return replace(plan, seconds=round(time.monotonic() - start, 3))


def _kept_tonight(job: Job, layout: Layout, run_id: str) -> pa.Schema:
    """The kept columns of the index, and where every one is kept, those of last night too."""
    met = kept_schema(layout.index(run_id))
    if EVERY not in job.kept or job.once.replace:
        return met
    kept = with_columns_before(layout, met)
    if kept != met:
        retype(layout.index(run_id), kept)
    return kept


def backend_for(plan: Plan) -> str:
    """What runs the models of a run: where the job leaves it open, the reference for a few texts.

    It runs a network at once, and others may need longer to prepare one than it takes for a few
    documents. A model that was used before is prepared nevertheless: it is going to be used again.
    """
    backend, models = running_of(plan).backend, plan.inference.models
    few = plan.difference.to_score <= FEW_DOCUMENTS and plan.inference.precision == "fp32"
    if plan.job.compute.backend == AUTO and few and not all(map(was_used, models)):
        return REFERENCE
    return backend


def _stopped_run(layout: Layout, wanted: str) -> Plan | None:
    for stopped in resumable_runs(layout):
        try:
            plan = load_plan(layout.plan(stopped.run_id))
        except NocturnaError:
            continue
        if plan.work != wanted or not base_is_whole(layout, plan.difference):
            continue
        if is_whole_work(layout, plan.run_id, plan.digests) and is_quarantined(layout, plan):
            return plan
        _log.warning(
            "%s: damaged or gone, so that run %s cannot go on; its documents are scored anew",
            layout.work(plan.run_id),
            plan.run_id,
        )
    return None


def _texts(work: Documents) -> Iterator[tuple[str, str | None]]:
    asked = work.documents.filter(pa.array(work.needs[SUMMARY]))
    return zip(asked["doc_id"].to_pylist(), asked["text"].to_pylist(), strict=True)
