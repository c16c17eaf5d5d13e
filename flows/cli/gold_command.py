"""`nocturna gold`: documents for a person to label, drawn so that they say most."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, At, Out, new_app, one_form
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
def gold(
    out: Out,
    most: Annotated[int, typer.Option("-n", min=2, help="Documents to draw.")] = 200,
    score: Annotated[
        str | None, typer.Option(help="Score whose labels they are; needed where several have any.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Spreadsheet (.xlsx, or .csv); <job>-<score>.xlsx."),
    ] = None,
    page: Annotated[
        bool,
        typer.Option("--page", help="Label them in the browser, into a .csv; goes on with one."),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 for any.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws others.")] = 0,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Draw documents of every label, sure and unsure ones, for a person to label.

    How they were drawn is kept beside the file, and `nocturna evaluate` weighs them by it.

    Example: nocturna gold out/prensa --score topic -n 200 --page
    """
    from nocturna.gold_labelling import draw_into, go_on, label_in_browser
    from nocturna.tasks.reading.views import view_of

    one_form({"--page": page, "--json": as_json})
    if page and to is not None and to.suffix != ".csv":
        raise UsageError(f"--page: labels go to a .csv; --to {to} is none")
    view = view_of(out, at)
    path = go_on(view, to, score) if page else None
    if path is None:
        path, sample, changed = draw_into(view, to, most, score, seed, page)
        drawn = len(sample.rows)
        if as_json:
            facts = {"file": str(path), "drawn": drawn, "score": sample.score, "cut": changed.cut}
            print(json.dumps(facts, ensure_ascii=False))
        else:
            cut = f"; texts cut to fit in a cell: {changed.cut}" if changed.cut else ""
            print(
                f"{path}: {drawn} documents to label by hand, of {len(sample.strata)} strata{cut}"
            )
            asked = f"nocturna evaluate {path} --task {sample.score} --published {out}"
            print(f"then: {asked}")
    if page:
        label_in_browser(path, port)
