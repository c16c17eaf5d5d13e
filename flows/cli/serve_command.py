"""`nocturna serve`: jobs on the clock."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.given import described_job, new_app

app = new_app()


@app.command()
def serve(
    files: Annotated[list[Path], typer.Argument(help="Job files to run on the schedule.")],
    cron: Annotated[str, typer.Option(help="When, as five cron fields.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = "UTC",
    api: Annotated[
        str | None, typer.Option(help="URL of a standing Prefect server; without it, an own one.")
    ] = None,
) -> None:
    """Run jobs every night until stopped; a run still going is never overlapped."""
    from tasks.steps.soundness import check_served

    described = [described_job(None, path, {}) for path in files]
    for job in described:
        missing = check_served(job)
        if missing:
            print(f"nocturna: {job.name}: {missing}; its runs look again", file=sys.stderr)
    from flows.nightly import serve_jobs

    serve_jobs(described, cron, timezone, api)
