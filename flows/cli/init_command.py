"""`nocturna init`: a first job file for a corpus."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from nocturna.cli.given import AsJson, described_values, new_app
from nocturna.options import with_job_options
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
@with_job_options
def init(
    source: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs or URIs of the corpus; often one."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("-o", "--to", metavar="FILE", help="The job file; else NAME.yaml here."),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--score", help="A further score: NAME=MODEL or NAME=LABEL,LABEL; may be given often."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Look at a corpus and write a commented job file for it, ready for `nocturna score --job`.

    Columns and language are guessed, each with its reason, and the night's time is measured on a
    few texts; what an option says is written as it is.

    Example: nocturna init data/samples/notas.csv -o notas.yaml --labels "política,economía"
    """
    values = described_values(source or (), None, options, more or (), "nocturna init")
    target = to or Path(f"{values['name']}.yaml")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target}: no such folder as {target.parent}; make it, or name another")
    there = f"{target}: is there already; name another with -o, or give --force"
    if target.exists() and not force:
        raise UsageError(there)
    from nocturna.tasks.run.first_job import first_job

    made = first_job(values, target)
    text = made.text.encode()
    try:
        with target.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(there) from None
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
    if as_json:
        found = made.found
        said = {
            "file": str(target),
            "job": made.job.model_dump(mode="json"),
            "rows": found.rows,
            "looked_at": found.looked_at,
            "rejected": found.rejected,
            "columns": [asdict(column) for column in found.columns],
            "languages": made.languages,
            "speed": asdict(made.speed) if made.speed else None,
            "seconds": made.seconds,
            "summaries_usd": made.usd,
        }
        print(json.dumps(said, ensure_ascii=False))
        return
    from nocturna.console import person_console
    from nocturna.terminal_tables import plain

    for line in (*made.lines, f"{target} is written; next: nocturna score --job {target}"):
        plain(person_console(), line)
