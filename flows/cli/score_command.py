"""`nocturna score`: score a corpus now."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from nocturna.cli.given import AsJson, described_job, new_app, show_summary
from nocturna.options import with_job_options
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Job

app = new_app()


@app.command()
@with_job_options
def score(
    source: Annotated[
        list[str] | None,
        typer.Argument(help="File, folder, glob or URI of the corpus, or several of them."),
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
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            help="Score one share of the shards, such as 3/40, and publish nothing; "
            "`nocturna publish` does once every share is scored.",
        ),
    ] = None,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Score a corpus now, described by a job file, by options, or by both (options win).

    Example: nocturna score textos.csv --text texto --id codigo --labels "política,economía"
    """
    described = described_job(source or (), job, options, more or ())
    from nocturna.tasks.run.soundness import check_job

    try:
        check_job(described, rehearsal=dry_run)
    except NocturnaError as error:
        if job is not None and not dry_run:
            _note_night(described, error)
        raise
    if dry_run:
        from nocturna.preview import preview

        lines, values = preview(described)
        print(json.dumps(values) if as_json else "\n".join(lines))
        return
    if part is not None:
        from nocturna.array_jobs import said_of, score_share

        share = score_share(described, part)
        print(json.dumps(asdict(share)) if as_json else said_of(share))
        return
    from nocturna.observer import observer_for
    from nocturna.terminal import say

    observer = observer_for(lambda line: say(f"nocturna: {line}"))  # starts while the rest is read
    from nocturna.score import score_observed

    show_summary(score_observed(described, observer), as_json)


def _note_night(job: Job, error: NocturnaError) -> None:
    """Lists and tells a night of a job file that ended before it began, where there are others."""
    from nocturna.tasks.results.layout import layout_of

    if job.notify or layout_of(job.output.dir, job.name).runs.is_dir():
        from nocturna.telling import tell_unbegun

        tell_unbegun(job, error)
