"""The task that summarises."""

from prefect import task
from prefect.blocks.system import Secret

from nocturna.tasks.control import control
from nocturna.tasks.engine import RETRIES
from nocturna.tasks.enrichment.providers import KeyProvider, key_from_environment, provider_of
from nocturna.tasks.enrichment.records import Progress
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job import Job
from nocturna.tasks.steps.run import job_layout
from nocturna.tasks.steps.summarising import Summarised, summarise_run


def key_of(job: Job) -> KeyProvider:
    """Where the key comes from: the environment, or a Secret block; asked when it is needed."""
    name = job.summaries.secret
    if name is None:
        return key_from_environment(job.summaries)
    return lambda: _secret(name, provider_of(job.summaries).KEY_VARIABLE)


@task(name="summarise", **RETRIES)
def summarise_documents(job: Job, run_id: str) -> Summarised:
    """Summarises the documents that a run works on, within the job's budget."""
    run = control()
    return summarise_run(
        job_layout(job), job, run_id, run.stopping, lambda p: run.tell(_line(p)), key_of(job)
    )


def _secret(name: str, variable: str) -> str:
    try:
        return str(Secret.load(name).get())  # type: ignore[union-attr]
    except ValueError:
        raise UsageError(
            f"summaries.secret: the engine has no Secret block named {name!r}; make one, or set "
            f"{variable} and leave `secret` out"
        ) from None


def _line(progress: Progress) -> str:
    of = f" of {progress.total:,}" if progress.total is not None else ""
    line = f"summaries: {progress.documents:,}{of} documents, {progress.spent_usd:.4f} USD spent"
    if progress.expected_usd is not None:
        line += f", {progress.expected_usd:.4f} expected"
    if progress.throttled_s:
        line += f", throttled for {progress.throttled_s:,.0f} s"
    return f"{line}; stopped: {progress.stopped}" if progress.stopped else line
