"""The step that stages a run: its models are pinned, and each input of its corpus is read once."""

from nocturna.tasks.job.job import Job
from nocturna.tasks.run.staged_run import StagedRun, stage_job
from nocturna.tasks.step import step


@step("stage")
def stage_corpus(job: Job, run_id: str) -> StagedRun:
    """Pins the models of a job and stages its corpus, in the job's output folder.

    Raises:
        UsageError: a model, file, column or key that cannot be used.
    """
    return stage_job(job, run_id)
