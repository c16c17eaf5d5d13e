"""`nocturna export`: published rows as a file for another program."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, At, Out, new_app, one_form
from nocturna.options import entries
from nocturna.tasks.errors import UsageError

app = new_app()
File = Path | None


@app.command()
def export(
    out: Out,
    csv: Annotated[File, typer.Option("--csv", metavar="FILE", help="CSV, for Excel too.")] = None,
    xlsx: Annotated[File, typer.Option("--xlsx", metavar="FILE", help="Excel workbook.")] = None,
    jsonl: Annotated[
        File, typer.Option("--jsonl", metavar="FILE", help="JSON, a line a row.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="LIST", help="Only these columns.")
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Write published rows to a file; a text that a spreadsheet would compute stays a text.

    Example: nocturna export out/prensa --xlsx prensa.xlsx --columns doc_id,topic,sentiment
    """
    from nocturna.tasks.reading.exporting import export as write
    from nocturna.tasks.reading.target_file import is_stream
    from nocturna.tasks.reading.views import view_of

    forms = {"csv": csv, "xlsx": xlsx, "jsonl": jsonl}
    one_form({f"--{form}": path for form, path in forms.items()})
    form, path = next(((f, p) for f, p in forms.items() if p is not None), ("", None))
    if path is None:
        raise UsageError("nocturna export: give --csv FILE, --xlsx FILE or --jsonl FILE")
    rows, written = write(view_of(out, at), form, path, entries("--columns", columns))
    beside = is_stream(path)  # whoever reads the rows reads no line about them
    if as_json:
        found = {"file": str(path), "rows": rows, "cut": written.cut, "quoted": written.formulas}
        print(json.dumps(found, ensure_ascii=False), file=sys.stderr if beside else None)
        return
    notes = [f"{path}: {rows:,} rows"]
    if written.formulas and form == "csv":
        notes.append(
            f"texts with ' in front, which a spreadsheet would compute: {written.formulas:,}"
        )
    if written.cut:
        notes.append(f"texts cut to the 32,767 characters of a cell: {written.cut:,}")
    from nocturna.console import person_console
    from nocturna.terminal_tables import plain

    plain(person_console(stderr=beside), "; ".join(notes))
