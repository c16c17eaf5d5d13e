"""The task that scores a shard."""

from functools import cache
from threading import BoundedSemaphore, Lock

from prefect import task

from nocturna.tasks.control import control
from nocturna.tasks.engine import RETRIES
from nocturna.tasks.errors import Transient
from nocturna.tasks.inference.device import scoring_processes, shards_at_once
from nocturna.tasks.job import Job
from nocturna.tasks.processes import score_in_process
from nocturna.tasks.results.records import ScoredShard
from nocturna.tasks.steps.run import job_layout
from nocturna.tasks.steps.scoring import Signals, load_ahead
from nocturna.tasks.steps.scoring import score_shard as score

_asking = Lock()


@cache
def _semaphore(shards: int) -> BoundedSemaphore:
    return BoundedSemaphore(shards)


def _slot(shards: int) -> BoundedSemaphore:
    """The one semaphore of so many shards, also where all ask for it first at once."""
    with _asking:
        return _semaphore(shards)


def load_models(job: Job, run_id: str) -> None:
    """Loads the models that a planned run needs, while nothing else can be done yet.

    Raises:
        NocturnaError: what the shards will raise too.
    """
    run = control()
    if scoring_processes(job.compute) == 1:  # else each process has models of its own
        load_ahead(job_layout(job), run_id, Signals(run.stopping, run.advance))


@task(name="score", task_run_name="shard-{shard}", **RETRIES)
def score_shard(job: Job, run_id: str, shard: int) -> ScoredShard:
    """Scores one shard; one that cannot be scored stops the others after their batch."""
    run = control()
    try:
        with _slot(shards_at_once(job.compute)):
            processes = scoring_processes(job.compute)
            if processes > 1:
                return score_in_process(processes, job, run_id, shard)
            return score(job_layout(job), run_id, shard, Signals(run.stopping, run.advance))
    except (Transient, ConnectionError, TimeoutError):
        raise
    except Exception:
        run.request_stop()
        raise
