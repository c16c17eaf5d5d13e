"""The engine as a run sees it: it records; whatever becomes of it, the run goes on.

All the waiting on an engine, at the start, in the middle and at the end together, stays below
MOST_SECONDS, unless the user's settings give it longer to start or to answer. Once it fails nobody
asks it again, and one line says so.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from nocturna.engine import Engine, engine_home, start_engine
from nocturna.own_settings import settings_problem
from nocturna.tasks.control import control, stopping

MOST_SECONDS = 20.0
"""What a run may wait for its engine altogether."""

_LOOK_TIMEOUT = 2.0
_CALL_SECONDS = 3.5
_FLUSH_SECONDS = 3.0
_STOP_SECONDS = 3.0
_LOOK_SECONDS = 1.0
_TURN = 0.1
_MISSED = 3
"""Looks in a row without an answer that make an engine a lost one: it may be busy for a moment."""


class Observer:
    """One engine, for one run.

    Args:
        engine: of this process, if it is not a standing one.
        url: of the API of a standing one.
        say: told in one line when nothing is recorded, or nothing more.
    """

    def __init__(self, engine: Engine | None, url: str, say: Callable[[str], None]) -> None:
        self._engine, self._url, self._say = engine, url, say
        self._run = control()
        self._over = threading.Event()
        self._telling = threading.Lock()
        self.reason: str | None = None
        """Why nothing is recorded, or nothing more; None while it is."""

    @property
    def records(self) -> bool:
        """Whether it is worth telling the engine something."""
        return self.reason is None

    def lose(self, reason: str) -> None:
        """Notes that the engine records nothing more; the first reason is the one that counts."""
        with self._telling:
            if self.reason is not None or self._over.is_set():
                return
            self.reason = reason.strip().split("\n")[0].rstrip()
        self._run.deaf = True
        if self._engine is not None:
            self._engine.kill()
        if not self._run.stopping():  # a run that stops does not go on
            self._say(f"the run goes on unrecorded: {self.reason}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Waits for the engine, then looks again and again whether it still answers."""
        self._run = control()
        with ExitStack() as stack:
            if self._engine is not None:
                stack.callback(self._engine.stop, _STOP_SECONDS)
                reason = _started(self._engine)
            elif self.records:
                reason = _silence_of(self._where()["PREFECT_API_URL"], _patience(_LOOK_TIMEOUT))
            else:
                reason = self.reason
            if reason is not None:
                self.lose(reason)
            else:
                watcher = threading.Thread(target=self._watch, daemon=True)
                watcher.start()
            try:
                with self.client():
                    yield
            finally:
                self._over.set()
                if not self.records:  # or the next run of this process tells the lost engine
                    _end_workers(0.0)

    @contextmanager
    def client(self) -> Iterator[None]:
        """Settings of the engine's client: where it is, short waits, second tries if asked for."""
        with _bounded_client(self._where()):
            yield

    def flush(self, flow_run: Any, steps: int) -> None:
        """Waits a moment for what is on its way to the engine, then for what it writes down itself.

        Task runs are told by events; an engine of our own forgets those that it holds in memory
        when it ends.

        Args:
            flow_run: id of the run.
            steps: how many of its tasks the engine was told of.
        """
        until = time.monotonic() + _patience(_FLUSH_SECONDS)
        _end_workers(until)
        while self.records and self._engine is not None and time.monotonic() < until:
            if _written(flow_run) >= steps:
                return
            time.sleep(_TURN)

    def _where(self) -> dict[str, str]:
        if self._engine is not None:
            return self._engine.environment()
        named = {"PREFECT_API_URL": self._url}
        auth = os.environ.get("PREFECT_API_AUTH_STRING")
        return named | ({"PREFECT_API_AUTH_STRING": auth} if auth else {})

    def _watch(self) -> None:
        url, silent = self._where()["PREFECT_API_URL"], 0
        while self.records and not self._over.wait(_LOOK_SECONDS):
            if self._engine is not None and not self._engine.alive():
                return self.lose("the engine died")
            reason = _silence_of(url, _patience(_LOOK_TIMEOUT))
            silent = silent + 1 if reason else 0
            if reason and silent >= _MISSED:
                return self.lose(reason)
        return None


def _patience(seconds: float) -> float:
    """How long to wait for one answer: so long, or longer where the user's settings say so."""
    return max(seconds, float(os.environ.get("PREFECT_API_REQUEST_TIMEOUT") or 0.0))


def _tries_again() -> int:
    """How often a call is made again, by the user's settings: a busy engine's 503 means later."""
    return int(os.environ.get("PREFECT_CLIENT_MAX_RETRIES") or 0)


def _end_workers(until: float) -> None:
    """Lets what sends lines and events to the engine end, and waits until then for it."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=max(0.0, until - time.monotonic()))


def observer_for(say: Callable[[str], None]) -> Observer:
    """The observer of a run: the engine that the user's settings name, or one that starts now.

    The engine starts in the background; nothing waits for it here.
    """
    problem = settings_problem()
    if problem is not None:
        observer = Observer(None, "", say)
        observer.lose(problem)
        return observer
    url = _standing()
    if url:
        return Observer(None, url, say)
    home = engine_home()
    return Observer(start_engine(home, home / "nocturna-engine.log"), "", say)


def _started(engine: Engine) -> str | None:
    """Why an engine has not started in time; None if it has, or if the run is to stop anyway."""
    most = float(os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"])
    until = time.monotonic() + most
    while (reason := engine.wait(_TURN)) is not None and engine.alive():
        if stopping():
            return "the run was stopped before the engine had started"
        if time.monotonic() > until:
            return f"the engine was not ready after {most:.0f} s"
    return reason


def _written(flow_run: Any) -> int:
    """How many task runs of a flow run have ended, as far as the engine's database knows."""
    from prefect.client.orchestration import get_client

    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    of_run = {"flow_run_id": {"any_": [str(flow_run)]}, "state": ended}
    with get_client(sync_client=True) as client:
        return int(client.request("POST", "/task_runs/count", json={"task_runs": of_run}).json())


def _standing() -> str | None:
    """The API of a standing engine: in the environment, or in a profile of the engine's own."""
    url = os.environ.get("PREFECT_API_URL")
    if url is None and (engine_home() / "profiles.toml").exists():
        from prefect.settings import PREFECT_API_URL

        url = PREFECT_API_URL.value()
    return url


def _silence_of(url: str, seconds: float) -> str | None:
    """Why an engine does not answer; None if it does."""
    try:
        with urlopen(Request(f"{url.rstrip('/')}/health"), timeout=seconds):
            return None
    except HTTPError:
        return None  # it answers; whether it lets us in shows when it is told something
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"no engine answers at {url.rsplit('@', maxsplit=1)[-1]} ({reason})"


@contextmanager
def _bounded_client(where: dict[str, str]) -> Iterator[None]:
    from prefect.events.clients import PrefectEventsClient
    from prefect.events.worker import EventsWorker
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    named = {"PREFECT_API_URL": PREFECT_API_URL, "PREFECT_API_AUTH_STRING": PREFECT_API_AUTH_STRING}
    changed: dict[Any, Any] = {named[name]: value for name, value in where.items()}
    changed |= {
        PREFECT_API_REQUEST_TIMEOUT: _patience(_CALL_SECONDS),
        PREFECT_CLIENT_MAX_RETRIES: _tries_again(),
    }
    # Left alone, the worker tries to send each event eleven times where the engine has gone.
    EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=0)
    # The workers of log lines and events would print on the terminal what they could not send.
    for worker in ("APILogWorker", "EventsWorker"):
        logging.getLogger(worker).setLevel(logging.CRITICAL)
    loud, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        with temporary_settings(changed):
            yield
    finally:
        logging.raiseExceptions = loud
