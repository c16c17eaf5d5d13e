"""The tasks that publish a run, send it on and report on it."""

from prefect import task

from nocturna.tasks.artifacts import leave_figures
from nocturna.tasks.engine import RETRIES
from nocturna.tasks.job import Job
from nocturna.tasks.results.comparison import compared
from nocturna.tasks.results.records import ScoredShard
from nocturna.tasks.results.report import Summary
from nocturna.tasks.results.sending import send
from nocturna.tasks.steps.publishing import publish_run
from nocturna.tasks.steps.run import job_layout
from nocturna.tasks.steps.summarising import Summarised


@task(name="publish", **RETRIES)
def publish_results(
    job: Job,
    run_id: str,
    shards: list[ScoredShard],
    summaries: Summarised | None,
    seconds: float,
) -> Summary:
    """Checks the rows of a run and makes them the snapshot that readers see."""
    return publish_run(job_layout(job), run_id, shards, summaries, seconds)


@task(name="mirror", **RETRIES)
def mirror_results(job: Job, summary: Summary) -> Summary:
    """Makes the further places that the job wants hold what the run has published."""
    return send(job_layout(job), job.output, summary)


def report(job: Job, summary: Summary) -> None:
    """Leaves the figures of a run in the engine's own page."""
    leave_figures(summary, compared(job_layout(job), summary.run_id))
