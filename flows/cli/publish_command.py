"""`nocturna publish`: what was scored in parts, or what a person lets pass."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nocturna.cli.given import AsJson, OutDir, new_app, show_summary
from nocturna.tasks.errors import UsageError

if TYPE_CHECKING:
    from nocturna.tasks.results.layout import Layout

app = new_app()


@app.command()
def publish(
    run: Annotated[
        str,
        typer.Argument(
            help="A run that was scored in parts, or that a quality gate refused; or the output "
            "folder whose last run was scored in parts, such as out/prensa."
        ),
    ],
    accept: Annotated[
        str | None,
        typer.Option(help="Why a run that was refused is published; kept with the run."),
    ] = None,
    out: OutDir = "out",
    as_json: AsJson = False,
) -> None:
    """Publish a run that was scored in parts; with --accept one that a quality gate refused.

    Example: nocturna publish 20261120T020003-4f2a91cc --accept "elections: politics did grow"
    """
    layout, run = _found(run, out)

    from nocturna.report_left import with_report
    from nocturna.tasks.publish import accept_run, publish_shares
    from nocturna.tasks.results.layout import new_run_id
    from nocturna.tasks.results.lock import hold_lock
    from nocturna.tasks.results.recovery import recover

    if accept is None:
        with hold_lock(layout, new_run_id()):
            recover(layout)
            summary = with_report(layout, publish_shares(layout, run))
    else:
        with hold_lock(layout, run):
            recover(layout)
            summary = with_report(layout, accept_run(layout, run, accept))
    show_summary(summary, as_json)


def _found(run: str, out: str) -> "tuple[Layout, str]":
    """The output folder of a run, and its id."""
    from nocturna.tasks.results.layout import home_of, is_store, layout_of, out_and_job
    from nocturna.tasks.results.manifest import resumable_runs

    if is_store(run) or (Path(run) / "runs").is_dir():
        layout = layout_of(*out_and_job(run))
        waiting = resumable_runs(layout)
        if not waiting:
            raise UsageError(f"{run}: no run here waits for anything; `nocturna runs` lists them")
        return layout, waiting[0].run_id
    if "/" in run:
        raise UsageError(f"{run}: no output folder; `nocturna runs` lists the runs under --out")
    layouts = [layout_of(out, folder.name) for folder in sorted(home_of(out).glob("[!.]*/"))]
    there = next((found for found in layouts if found.manifest(run).exists()), None)
    if there is None:
        raise UsageError(f"--out {out}: no run {run!r} here; `nocturna runs` lists them")
    return there, run
