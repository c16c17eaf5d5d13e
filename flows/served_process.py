"""The program of a night's process; `flows/served_night.py` starts it.

Standard input holds one line, what to do, and is a pipe from `nocturna serve` whose end is the end
of the night, with all that it started.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from nocturna.garbage import collect_rarely
from nocturna.tasks.leaving import leave_on_signals

_LOOK_SECONDS = 2.0


def main() -> int:
    """Runs one night; returns its exit code."""
    asked = json.loads(sys.stdin.buffer.readline() or "null")
    if asked is None:
        return 1
    threading.Thread(target=_end_with_the_clock, daemon=True).start()
    leave_on_signals()
    collect_rarely()
    from nocturna.tasks.job.job import Job

    job = Job.model_validate(asked["job"])
    if asked["wait"] and not _is_free(job):
        return 143
    return _run(job, partial(_flow_run, job, asked))


def _end_with_the_clock() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _is_free(job: Any) -> bool:
    """Waits until no other run holds the job's folder; False if asked to stop meanwhile."""
    from nocturna.tasks.control import stop_on_signals, stopping
    from nocturna.tasks.results.lock import holder_of
    from nocturna.tasks.run.frozen import job_layout

    with stop_on_signals():
        while holder_of(job_layout(job)) is not None and not stopping():
            time.sleep(_LOOK_SECONDS)
        return not stopping()


def _run(job: Any, known: Callable[[], Any]) -> int:
    from nocturna.observer import observer_for
    from nocturna.terminal import say

    observer = observer_for(lambda line: say(f"nocturna: {job.name}: {line}"))
    from nocturna.recorded import observed
    from nocturna.serve import nightly
    from nocturna.tasks.errors import NocturnaError, RunLocked
    from nocturna.tasks.results.report import Summary
    from nocturna.telling import note_silence

    try:
        ended = observed(nightly, observer, known, job=job)
    except NocturnaError as error:
        return error.exit_code
    if not isinstance(ended, Summary):
        return RunLocked.exit_code
    note_silence(job, ended.run_id, observer)
    return 0


def _flow_run(job: Any, asked: dict[str, Any]) -> Any:
    """The run under which the engine knows this night, or will; None if it knows no such job."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    from nocturna.record import run_of_night
    from nocturna.serve import nightly

    with get_client(sync_client=True) as client:
        if asked["flow_run"] is not None:
            return client.read_flow_run(UUID(asked["flow_run"]))
        try:
            deployment = client.read_deployment_by_name(f"{nightly.name}/{job.name}")
        except ObjectNotFound:
            return None
        date = datetime.fromisoformat(asked["date"])
        return run_of_night(client, deployment.id, job, date, asked["key"])


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # what libraries take down at exit can hang, and nothing is left to do
