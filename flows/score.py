"""The main flow: score a corpus and publish the results."""

import time

from prefect import flow

from nocturna.artifacts import report
from nocturna.claiming import all_scored, claimed, progress
from nocturna.observer import Observer
from nocturna.recorded import ahead, body, do, each, is_recorded, observed
from nocturna.report_left import with_report
from nocturna.run_name import job_and_date
from nocturna.tasks.control import stop_on_signals
from nocturna.tasks.job.job import Job
from nocturna.tasks.plan import plan_corpus
from nocturna.tasks.publish import mirror_results, publish_results
from nocturna.tasks.results.report import Summary
from nocturna.tasks.run.runners import runner_of
from nocturna.tasks.score import load_models, score_shard
from nocturna.tasks.stage import stage_corpus
from nocturna.tasks.summarise import summarise_documents
from nocturna.telling import note_silence


@flow(name="score-corpus", flow_run_name=job_and_date)
@body
def score_corpus(job: Job) -> Summary:
    """Stages a corpus, plans, summarises if asked, scores every shard, publishes and reports.

    Raises:
        NocturnaError: one line that says what is wrong; results stay as they were.
    """
    start = time.monotonic()
    with claimed(job) as claim:
        staged = do(stage_corpus, job, claim.run_id)
        plan = claim.go_on_with(do(plan_corpus, job, claim.run_id, staged))
        run = (plan.layout, plan.run_id)
        with progress(plan):
            summaries = do(summarise_documents, *run) if plan.summaries else None
            scored = each(score_shard, range(plan.shards), *run, threads=shards_at_once(job))
            shards = all_scored(scored)
        spent = time.monotonic() - start
        summary = do(publish_results, *run, shards, summaries, spent)
        if plan.sinks:
            summary = do(mirror_results, plan.layout, summary)
        if job.output.report:
            summary = with_report(plan.layout, summary)
        if is_recorded():
            report(plan.layout, summary)
        return summary


def shards_at_once(job: Job) -> int:
    """How many shards the job's runner scores at the same time."""
    return runner_of(job.compute).at_once(job.compute)


def score_observed(job: Job, observer: Observer) -> Summary:
    """Runs the flow, recorded as far as its engine takes part, and notes where it did not.

    The corpus is staged and planned and the models are loaded while the engine starts.

    Raises:
        NocturnaError: as the flow; never because of the engine.
    """
    with stop_on_signals(), claimed(job) as claim:
        if not job.summaries.secret:  # what the engine keeps can only be had once it is there
            ahead(
                (stage_corpus, plan_corpus),
                job,
                claim.run_id,
                then=lambda plan: load_models(plan.layout, plan.run_id),
            )
        try:
            summary: Summary = observed(score_corpus, observer, job=job)
        finally:
            note_silence(job, claim.run_id, observer)
    return summary
