"""The task that plans a run."""

from dataclasses import dataclass

from prefect import task

from nocturna.tasks.engine import RETRIES
from nocturna.tasks.job import Job
from nocturna.tasks.results.difference import describe
from nocturna.tasks.steps.planning import plan_run
from nocturna.tasks.steps.run import job_layout
from nocturna.tasks.summarise import key_of


@dataclass(frozen=True)
class Planned:
    """What the flow needs to know of a plan; the plan itself is in the run's folder.

    Attributes:
        to_score: documents that are new or changed.
        outlook: one line that says what there is to do.
    """

    run_id: str
    shards: int
    to_score: int
    outlook: str


@task(name="plan", **RETRIES)
def plan_corpus(job: Job, run_id: str) -> Planned:
    """Freezes inputs, models and shards, or finds the stopped run that is about the same work."""
    plan = plan_run(job, job_layout(job), run_id, key_of(job))
    return Planned(
        plan.run_id, len(plan.shards), plan.difference.to_score, describe(plan.difference)
    )
