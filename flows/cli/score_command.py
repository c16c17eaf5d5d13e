"""`nocturna score`: score a corpus now."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.given import AsJson, described_job, new_app, show_summary
from flows.options import with_job_options

app = new_app()


@app.command()
@with_job_options
def score(
    source: Annotated[
        str | None, typer.Argument(help="File, folder, glob or URI of the corpus.")
    ] = None,
    job: Annotated[Path | None, typer.Option("--job", help="A job file (YAML).")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--score", help="A further score: NAME=MODEL or NAME=LABEL,LABEL; may be given often."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do and to pay; do nothing.")
    ] = False,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Score a corpus now, described by a job file, by options, or by both (options win)."""
    described = described_job(source, job, options, more or ())
    if dry_run:
        from flows.preview import preview

        lines, values = preview(described)
        print(json.dumps(values) if as_json else "\n".join(lines))
        return
    from flows.engine import let_engine_settle
    from flows.score import score_corpus

    summary = score_corpus(described)
    let_engine_settle()
    show_summary(summary, as_json)
