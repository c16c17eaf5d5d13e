"""The connection to a Ray cluster, and whether its head is there."""

import logging
import os
import threading
from concurrent.futures import Future
from functools import cache
from typing import Any

from nocturna.tasks.errors import UsageError

_connecting = threading.Lock()


def ray_there() -> Any:
    """Ray, connected to its cluster: the one that RAY_ADDRESS names, else one on this machine.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """
    with _connecting:
        return _connected()


def where() -> str:
    """The cluster's address, or that it is on this machine."""
    return os.environ.get("RAY_ADDRESS", "this machine")


def head_answers(seconds: float) -> bool:
    """Whether the head of the cluster answers within some seconds."""
    from ray._private import worker
    from ray.exceptions import RayError

    connected: Any = worker.global_worker
    try:
        connected.gcs_client.internal_kv_exists(b"", b"nocturna", timeout=seconds)
    except RayError:
        return False
    return True


@cache
def _connected() -> Any:
    """Connects in a thread that never ends: what Ray starts dies with the thread that did it."""
    found: Future[Any] = Future()

    def stay() -> None:
        try:
            found.set_result(_connect())
        except BaseException as error:
            found.set_exception(error)
        else:
            threading.Event().wait()

    threading.Thread(target=stay, daemon=True).start()
    return found.result()


def _connect() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {"include_dashboard": False}
    if os.environ.get("RAY_ADDRESS"):
        own = {}
        # whose head is gone ends the run in a line of ours, where Ray would abort this process
        os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "86400")
    try:
        import ray
        from ray._private import worker
    except ImportError:
        raise UsageError(
            "compute.runner: Ray is not installed; install nocturna[ray], or name another runner"
        ) from None
    worker._worker_logs_enabled = False  # or deaths of workers are told on stdout, amid ours
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"compute.runner: no Ray cluster at {where()}: {error}") from None
    return ray
