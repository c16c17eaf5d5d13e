"""The task that plans a run."""

from dataclasses import dataclass

from prefect import task

from tasks.engine import RETRIES
from tasks.job import Job
from tasks.steps.planning import plan_run
from tasks.steps.run import job_layout


@dataclass(frozen=True)
class Planned:
    """What the flow needs to know of a plan; the plan itself is in the run's folder."""

    run_id: str
    shards: int
    documents: int


@task(name="plan", **RETRIES)
def plan_corpus(job: Job, run_id: str) -> Planned:
    """Freezes inputs, models and shards, or finds the stopped run that is about the same work."""
    plan = plan_run(job, job_layout(job), run_id)
    return Planned(plan.run_id, len(plan.shards), plan.index.documents)
