"""The main flow on a schedule."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect import flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Schedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled

from flows.run_name import job_and_date
from flows.score import score_corpus
from flows.terminal import say
from tasks.errors import NocturnaError, RunLocked, UsageError
from tasks.job import Job
from tasks.results.report import Summary

SERVER_SECONDS = 120


@flow(name="nightly", flow_run_name=job_and_date)
def nightly(job: Job) -> Summary | Any:
    """Scores a corpus, unless an earlier run of the job is still going: then it is refused."""
    try:
        summary = score_corpus(job)
    except RunLocked as error:
        say(f"nocturna: {job.name}: not started: {error}")
        return Cancelled(message=str(error))
    except NocturnaError as error:
        say(f"nocturna: {job.name}: {error}")
        raise
    say(
        f"nocturna: {job.name}: published snapshot {summary.snapshot}, "
        f"{summary.counts.scored:,} of {summary.counts.read:,} rows scored"
    )
    return summary


def serve_jobs(jobs: Sequence[Job], cron: str, timezone: str, api: str | None) -> None:
    """Runs jobs on a schedule until stopped.

    Args:
        cron: five fields, e.g. `0 2 * * *`.
        timezone: IANA name, e.g. `Europe/Madrid`.
        api: URL of a standing Prefect server; without it an own one is started on a free port.

    Raises:
        UsageError: the schedule or the time zone is not valid, or two jobs have one name.
    """
    names = [job.name for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"nocturna serve: two jobs are named {twice!r}; give one another `name`")
    schedule = _schedule(cron, timezone)
    with _server(api) as url:
        deployments = [_deployment(job, schedule) for job in jobs]
        say(f"nocturna: serving {', '.join(names)} at {cron!r} {timezone}; engine at {url}")
        serve(*deployments, pause_on_shutdown=False, print_starting_message=False)


def _schedule(cron: str, timezone: str) -> Schedule:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f"nocturna serve: --timezone {timezone!r} is no time zone; give one such as "
            "Europe/Madrid"
        ) from None
    try:
        return Cron(cron, timezone=timezone)
    except ValueError:
        raise UsageError(
            f"nocturna serve: --cron {cron!r} is no schedule; give five fields, such as '0 2 * * *'"
        ) from None


def _deployment(job: Job, schedule: Schedule) -> RunnerDeployment:
    parameters = {"job": job.model_dump(mode="json")}
    made = nightly.to_deployment(name=job.name, schedule=schedule, parameters=parameters)
    return cast(RunnerDeployment, made)


@contextmanager
def _server(api: str | None) -> Iterator[str]:
    if api is not None:
        with temporary_settings({PREFECT_API_URL: api}):
            os.environ["PREFECT_API_URL"] = api
            yield api
        return
    port = _free_port()
    environment = {**os.environ, "PREFECT_SERVER_API_PORT": str(port)}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/api"
        _wait_for(url, server)
        with _server(url):
            yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise NocturnaError(
        f"nocturna serve: the engine did not start within {SERVER_SECONDS} s; start one with "
        "`prefect server start` and name it with --api"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
