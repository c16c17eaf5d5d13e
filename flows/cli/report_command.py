"""`nocturna report`: what a night says, as one page."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, Out, new_app

app = new_app()


@app.command()
def report(
    out: Out,
    run: Annotated[
        str | None, typer.Option(help="A run, snapshot or date of the past; else the current.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of the page and its figures.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write what a night says as one HTML page and the same figures as JSON.

    Every night leaves its own at its end, as report.html in the folder of its run.

    Example: nocturna report out/prensa --run 2026-11-20
    """
    from nocturna.console import person_console
    from nocturna.tasks.reading.report_figures import report_figures
    from nocturna.tasks.reading.report_files import write_report
    from nocturna.terminal_tables import plain

    figures = report_figures(out, run)
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        plain(person_console(), str(write_report(out, figures, to)))
