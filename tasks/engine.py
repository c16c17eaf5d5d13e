"""What the tasks share towards the engine: which failures are tried again."""

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from nocturna.tasks.errors import NocturnaError, Transient


def _may_pass(task: Any, task_run: Any, state: Any) -> bool:
    """Whether to try again: storage and network may recover, everything else will not."""
    return passes(state.result(raise_on_failure=False))


def passes(error: Any) -> bool:
    """Whether a failure may pass by itself."""
    if isinstance(error, NocturnaError):
        return isinstance(error, Transient)
    return isinstance(error, ConnectionError | TimeoutError)


def tried(task: Any, *args: Any) -> Any:
    """Calls the function of a task as the engine would: what may pass is tried again."""
    attempts = Retrying(
        stop=stop_after_attempt(1 + task.retries),
        wait=wait_exponential_jitter(initial=2, max=16, jitter=1),
        retry=retry_if_exception(passes),
        reraise=True,
    )
    return attempts(task.fn, *args)


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _may_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
