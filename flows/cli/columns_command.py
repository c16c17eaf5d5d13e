"""`nocturna columns`: what the columns of published results mean."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, new_app

app = new_app()


@app.command()
def columns(
    out: Annotated[
        str,
        typer.Argument(help="Output folder of a job, e.g. out/prensa or s3://cubo/out/prensa."),
    ],
    as_json: AsJson = False,
) -> None:
    """Explain the columns of published results.

    Example: nocturna columns out/prensa
    """
    from nocturna.tasks.reading.views import job_folder
    from nocturna.tasks.results.dictionary import data_dictionary
    from nocturna.tasks.results.layout import is_store
    from nocturna.terminal_tables import print_columns

    notes = data_dictionary(job_folder(out).root if is_store(out) else Path(out))
    if as_json:
        print(json.dumps([asdict(note) for note in notes], ensure_ascii=False))
    else:
        print_columns(notes)
