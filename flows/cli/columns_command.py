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
    out: Annotated[Path, typer.Argument(help="Output folder of a job, e.g. out/prensa.")],
    as_json: AsJson = False,
) -> None:
    """Explain the columns of published results.

    Example: nocturna columns out/prensa
    """
    from nocturna.tasks.results.dictionary import data_dictionary
    from nocturna.terminal_tables import print_columns

    notes = data_dictionary(out)
    if as_json:
        print(json.dumps([asdict(note) for note in notes], ensure_ascii=False))
    else:
        print_columns(notes)
