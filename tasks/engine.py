"""What the tasks share towards the engine: which failures are tried again."""

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from tasks.errors import NocturnaError, Transient


def _may_pass(task: Any, task_run: Any, state: Any) -> bool:
    """Whether to try again: storage and network may recover, everything else will not."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, NocturnaError):
        return isinstance(error, Transient)
    return isinstance(error, ConnectionError | TimeoutError)


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _may_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
