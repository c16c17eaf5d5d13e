"""`nocturna doctor`: what this machine has for a night, and what to do."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, OutDir, new_app

app = new_app()


@app.command()
def doctor(
    out: OutDir = "out",
    hub: Annotated[
        bool, typer.Option("--hub", help="Ask the Hub whether it can be reached.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is there and what to do: packages, processor, GPU, disk, models, key, engine.

    Nothing leaves the machine without --hub. Ends with 1 where a night would fail.

    Example: nocturna doctor --out out --hub
    """
    from nocturna.checkup import WRONG, check_machine
    from nocturna.console import person_console
    from nocturna.tasks.results.layout import home_of, is_store
    from nocturna.terminal_tables import plain

    found = check_machine(home_of(out) if is_store(out) else Path(out), hub)
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            todo = f"; {one.todo}" if one.todo else ""
            plain(person_console(), f"{one.state:<6} {one.about:<14} {one.said}{todo}")
    raise typer.Exit(1 if any(one.state == WRONG for one in found) else 0)
