"""Keeps an engine beside the clock: an own one, or the standing one that the user names.

The clock never waits for it: all that is done here happens in a thread of its own.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)
from prefect.states import Cancelled, Completed, Crashed, Failed

from nocturna.engine import Engine, engine_home, start_engine
from nocturna.journal import Copied
from nocturna.record import Record, Tell
from nocturna.served_night import Due
from nocturna.tasks.errors import RunLocked, UsageError
from nocturna.tasks.job.job import Job

WAIT_SECONDS = 20.0
"""What the first nights wait for the engine, and a call for its answer."""

_START_SECONDS = 120.0
_AGAIN_SECONDS = 60.0
_SYNC_SECONDS = 5.0
_CLOSE_SECONDS = 6.0

_OWN = {
    # The clock starts the nights; the engine only shows its schedule. Its services for that would
    # be a second opinion, and marking many late runs at once locks the database for all others.
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}


@dataclass
class Keeper:
    """An engine: started, told of the clock, and started again where it dies.

    Attributes:
        api: URL of a standing server; None for an own engine.
        record: makes what the engine is told, given a client of its.
        log: file for what an own engine says.
        say: tells whoever watches a line.
        note: writes a line down for later.
        ready: called with `user:password` of an own engine, once it shows the schedule.
        tell: receives what people ask of the clock, and what must end it.
    """

    api: str | None
    record: Callable[[SyncPrefectClient], Record]
    log: Path
    say: Callable[[str], None]
    note: Callable[[str], None]
    ready: Callable[[str, str | None], None]
    tell: Tell
    _said: Copied = field(init=False)
    _engine: Engine | None = None
    _known: Record | None = None
    _trouble: str | None = None
    _started: float = 0.0
    _settled: threading.Event = field(default_factory=threading.Event)
    _closing: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def open(self) -> None:
        """Begins, and returns at once."""
        self._started = monotonic()
        self._said = Copied(self.log, self.note)
        if self.api is None:
            for name, value in _OWN.items():
                os.environ.setdefault(name, value)
            self._engine = start_engine(engine_home(), self.log, ui=True, services=True)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tells the engine what it does not know yet, and ends an own one; within seconds."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        if self._engine is not None:
            self._engine.stop()

    def environment(self) -> dict[str, str]:
        """What the environment of a night holds of the engine, which may not answer."""
        return self._engine.environment() if self._engine else {"PREFECT_API_URL": self.api or ""}

    def may_start(self) -> bool:
        """Whether nights can be started: the engine shows them, or it takes too long."""
        return self._settled.is_set() or monotonic() - self._started > WAIT_SECONDS

    def flow_run(self, job: Job, date: datetime) -> UUID | None:
        """The run that the engine shows for a night to come."""
        return self._known.flow_run(job, date) if self._known else None

    def is_off(self, due: Due) -> bool:
        """Whether somebody does not want this night."""
        return self._known is not None and self._known.is_off(due)

    def refused(self, due: Due, reason: str) -> None:
        """A night does not start."""
        if self._known is not None:
            self._known.note(due, Cancelled(message=reason))

    def ended(self, due: Due, code: int) -> None:
        """A run ended, perhaps without saying so."""
        if self._known is not None:
            self._known.note(due, _state_of(code))

    def _keep(self) -> None:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            self._keep_in_step()

    def _keep_in_step(self) -> None:
        while True:
            if not self._is_starting():
                self._note_trouble(self._tried())
                self._settled.set()
            self._said.copy()
            if self._closing.wait(_SYNC_SECONDS if self._settled.is_set() else 0.1):
                break
        if self._known is not None and self._trouble is None:
            try:
                self._known.withdraw()
            except Exception as error:
                self.note(f"the engine could not be told of the end: {_words(error)}")
        self._said.copy()

    def _is_starting(self) -> bool:
        engine = self._engine
        if engine is None or not engine.alive() or monotonic() - self._started > _START_SECONDS:
            return False
        return engine.wait(0.5) is not None and engine.alive()

    def _tried(self) -> str | None:
        """Brings the engine and the clock in step; why that cannot be, or None."""
        reason = self._away()
        if reason is not None:
            return reason
        try:
            if self._known is None or self._trouble is not None:
                self._meet()
            assert self._known is not None
            self._known.sync(self.tell)
        except PrefectHTTPStatusError as error:
            if self._known is None and error.response.status_code in {401, 403}:
                self.tell(
                    UsageError(
                        f"nocturna serve: {self.api}: the server refused the credentials; give "
                        "its own as PREFECT_API_AUTH_STRING or PREFECT_API_KEY in the environment"
                    )
                )
            return _words(error)
        except Exception as error:
            return _words(error)
        return None

    def _away(self) -> str | None:
        """Why an own engine is not there; it is started again after a while."""
        engine = self._engine
        if engine is None or engine.alive():
            return engine.wait(0.1) if engine else None
        reason = engine.wait(0) or f"the engine died ({self.log} may say why)"
        if monotonic() - self._started > _AGAIN_SECONDS:
            self._started = monotonic()
            again = partial(
                start_engine, engine_home(), self.log, ui=True, services=True, auth=engine.auth
            )
            port = int(engine.url.rpartition(":")[2].removesuffix("/api")) if engine.url else None
            self._engine = again(port=port)
            if not self._engine.alive():
                self._engine = again()
        return reason

    def _meet(self) -> None:
        engine = self._engine
        url = engine.url if engine else self.api or ""
        first = self._known is None or str(self._known.client.api_url).rstrip("/") != url
        known = self._known or self.record(self._client(url))
        if first and self._known is not None:
            known.client = self._client(url)
        known.register()
        self._known = known
        if first:
            self.ready(url, engine.auth if engine else None)

    def _client(self, url: str) -> SyncPrefectClient:
        engine = self._engine
        return SyncPrefectClient(
            url,
            auth_string=engine.auth if engine else PREFECT_API_AUTH_STRING.value(),
            api_key=None if engine else PREFECT_API_KEY.value(),
            httpx_settings={"timeout": WAIT_SECONDS / 2},
        ).__enter__()

    def _note_trouble(self, reason: str | None) -> None:
        if reason is not None and reason != self._trouble:
            self.say(f"nocturna: {reason}; nights go on all the same, unrecorded until it is back")
        if reason is None and self._trouble is not None:
            self.say("nocturna: the engine is back")
        self._trouble = reason


def _state_of(code: int) -> State[Any]:
    """What the engine shows of a run that did not tell it how it ended."""
    if code == 0:
        return Completed(message="published while the engine was away")
    if code in {RunLocked.exit_code, 128 + signal.SIGINT, 128 + signal.SIGTERM}:
        return Cancelled(message="not started or stopped; the log of `nocturna serve` says why")
    if code < 0:
        return Crashed(message=f"killed by signal {-code}")
    return Failed(message=f"ended with {code}; the log of `nocturna serve` says why")


def _words(error: Any) -> str:
    line = " ".join(str(error).split()).partition(" for url ")[0][:200]
    return f"the engine does not answer ({type(error).__name__}: {line})"
