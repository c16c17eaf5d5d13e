"""`nocturna diff`: what changed between two nights, and why."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, Out, new_app
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
def diff(
    out: Out,
    before: Annotated[
        str | None,
        typer.Argument(help="Snapshot, run id or date; else the one before the current."),
    ] = None,
    after: Annotated[
        str | None, typer.Argument(help="What it is compared with; else the current.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="Only this score.")] = None,
    most: Annotated[int, typer.Option("-n", min=0, help="Documents to list, at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Say which documents came, went or changed their label between two nights, and why.

    Example: nocturna diff out/prensa 41 42
    """
    from nocturna.nights_shown import print_difference
    from nocturna.tasks.reading.changes import difference
    from nocturna.tasks.reading.scores_there import scores_there
    from nocturna.tasks.reading.views import view_before, view_of

    now = view_of(out, after)
    then = view_of(out, before) if before is not None else view_before(now)
    there = {**scores_there(then.schema), **scores_there(now.schema)}
    if score is not None and score not in there:
        raise UsageError(f"--score {score}: no such score; there are {', '.join(there)}")
    found = difference(then, now, most, score)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
    else:
        print_difference(found)
