"""`nocturna serve`: jobs on the clock."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import described_job, new_app
from nocturna.tasks.addresses import redact
from nocturna.tasks.errors import UsageError

app = new_app()


class Overlap(StrEnum):
    """What becomes of a night that is due while the one before still runs."""

    refuse = "refuse"
    wait = "wait"


@app.command()
def serve(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Job files to run on the schedule.")
    ] = None,
    job: Annotated[
        list[Path] | None, typer.Option("--job", help="A further job file; may be repeated.")
    ] = None,
    cron: Annotated[str, typer.Option(help="When, as five cron fields.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = "UTC",
    overlap: Annotated[
        Overlap,
        typer.Option(help="What becomes of a night that is due while the one before still runs."),
    ] = Overlap.refuse,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="Run one night at start if nights were missed.")
    ] = False,
    at_once: Annotated[
        int, typer.Option(min=1, help="Jobs that may run side by side; others wait their turn.")
    ] = 2,
    api: Annotated[
        str | None,
        typer.Option(
            envvar="PREFECT_API_URL",
            help="URL of a standing Prefect server; without it, an own one.",
        ),
    ] = None,
) -> None:
    """Run jobs every night until stopped; a run still going is never overlapped.

    Example: nocturna serve jobs/prensa.yaml --cron "0 2 * * *" --timezone Europe/Madrid
    """
    named = [*(files or []), *(job or [])]
    if not named:
        raise UsageError("nocturna serve: name a job file, such as jobs/prensa.yaml")
    described = [described_job((), path, {}) for path in named]
    if api and not api.startswith(("http://", "https://")):
        raise UsageError(f"--api: {redact(api)!r} is no URL; give http://HOST:PORT/api")
    from nocturna.schedule import make_schedule
    from nocturna.tasks.run.soundness import check_served

    schedule = make_schedule(cron, timezone)
    names = [one.name for one in described]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"nocturna serve: two jobs are named {twice!r}; give one another `name`")
    for one in described:
        missing = check_served(one)
        if missing:
            print(f"nocturna: {one.name}: {missing}; its runs look again", file=sys.stderr)
    from nocturna.own_settings import settings_problem

    problem = settings_problem()
    if problem is not None:
        print(f"nocturna: {problem}; they are left aside", file=sys.stderr)
    from nocturna.clock import Rules
    from nocturna.serve import serve_jobs

    rules = Rules(overlap.value, catch_up, at_once)
    sys.exit(128 + serve_jobs(described, schedule, rules, api or None))
