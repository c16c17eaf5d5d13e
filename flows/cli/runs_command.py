"""`nocturna runs`: what ran, and what became of it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.given import AsJson, OutDir, new_app
from tasks.errors import UsageError

app = new_app()


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="Only the runs of this job.")] = None,
    out: OutDir = Path("out"),
    as_json: AsJson = False,
) -> None:
    """List what ran, when, and what became of it."""
    from flows.summary import print_runs
    from tasks.results.layout import layout_of
    from tasks.results.manifest import list_runs

    if not out.is_dir():
        raise UsageError(f"--out {out}: no such folder; runs are listed from an output folder")
    names = [name] if name else sorted(p.name for p in out.iterdir() if (p / "runs").is_dir())
    if name and not (out / name / "runs").is_dir():
        raise UsageError(f"{out / name}: no runs of a job {name!r} here")
    found = [run for job_name in names for run in list_runs(layout_of(out, job_name))]
    if as_json:
        print(json.dumps([asdict(run) for run in found], ensure_ascii=False, default=str))
    else:
        print_runs(found)
