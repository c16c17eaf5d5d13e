"""The task that scores a shard."""

from functools import cache
from threading import BoundedSemaphore

from prefect import task

from tasks.control import advance, request_stop, stopping
from tasks.engine import RETRIES
from tasks.errors import Transient
from tasks.inference.device import shards_at_once
from tasks.job import Job
from tasks.results.records import ScoredShard
from tasks.steps.run import job_layout
from tasks.steps.scoring import Signals
from tasks.steps.scoring import score_shard as score


@cache
def _slot(shards: int) -> BoundedSemaphore:
    return BoundedSemaphore(shards)


@task(name="score", task_run_name="shard-{shard}", **RETRIES)
def score_shard(job: Job, run_id: str, shard: int) -> ScoredShard:
    """Scores one shard; one that cannot be scored stops the others after their batch."""
    try:
        with _slot(shards_at_once(job.compute)):
            return score(job_layout(job), job, run_id, shard, Signals(stopping, advance))
    except (Transient, ConnectionError, TimeoutError):
        raise
    except Exception:
        request_stop()
        raise
