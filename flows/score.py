"""The main flow: score a corpus and publish the results."""

import time

from prefect import flow, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

from flows.run_name import job_and_date
from flows.running import all_scored, claimed, progress
from tasks.cores import usable_cores
from tasks.job import Job
from tasks.plan import plan_corpus
from tasks.publish import mirror_results, publish_results, report
from tasks.results.report import Summary
from tasks.score import score_shard
from tasks.summarise import summarise_documents

MOST_WORKERS = max(4, usable_cores())
"""Threads for tasks; a job says how many of them score at once."""


@flow(
    name="score-corpus",
    flow_run_name=job_and_date,
    task_runner=ThreadPoolTaskRunner(max_workers=MOST_WORKERS),  # type: ignore[arg-type]
)
def score_corpus(job: Job) -> Summary:
    """Plans a run, summarises if asked, scores every shard, publishes the results and reports.

    Raises:
        NocturnaError: one line that says what is wrong; results stay as they were.
    """
    start = time.monotonic()
    with claimed(job) as claim:
        plan = claim.go_on_with(plan_corpus(job, claim.run_id))
        with progress(plan):
            summaries = summarise_documents(job, plan.run_id) if job.summaries.enabled else None
            futures = score_shard.map(unmapped(job), unmapped(plan.run_id), range(plan.shards))
            shards = all_scored(futures)
        summary = publish_results(job, plan.run_id, shards, summaries, time.monotonic() - start)
        if job.output.table:
            summary = mirror_results(job, summary)
        report(job, summary)
        return summary
