"""`nocturna publish`: a person lets a refused run pass."""

from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, OutDir, new_app, show_summary
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
def publish(
    run: Annotated[str, typer.Argument(help="A run that a quality gate refused.")],
    accept: Annotated[str, typer.Option(help="Why it is published; kept with the run.")],
    out: OutDir = Path("out"),
    as_json: AsJson = False,
) -> None:
    """Publish a run that a quality gate refused, and keep the reason.

    Example: nocturna publish 20261120T020003-4f2a91cc --accept "elections: politics did grow"
    """
    from nocturna.tasks.results.layout import layout_of

    layouts = [layout_of(out, folder.name) for folder in sorted(out.glob("*/"))]
    layout = next((found for found in layouts if found.manifest(run).exists()), None)
    if layout is None:
        raise UsageError(f"--out {out}: no run {run!r} here; `nocturna runs` lists them")

    from nocturna.report_left import with_report
    from nocturna.tasks.publish import accept_run
    from nocturna.tasks.results.lock import hold_lock
    from nocturna.tasks.results.recovery import recover

    with hold_lock(layout, run):
        recover(layout)
        summary = with_report(layout, accept_run(layout, run, accept))
    show_summary(summary, as_json)
