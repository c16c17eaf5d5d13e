"""`nocturna fetch`: what a job needs of the Hub, for a machine without a network."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, described_job, new_app
from nocturna.tasks.errors import NocturnaError

app = new_app()


@app.command()
def fetch(
    job: Annotated[Path, typer.Argument(help="A job file (YAML).")],
    check: Annotated[
        bool, typer.Option("--check", help="Ask nobody: say whether all of it is here.")
    ] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="Write the commits into the job file as `revision`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download the models and the Hub data set of a job, and say what is where.

    Nights with HF_HUB_OFFLINE=1 then use exactly these. Ends with 1 where --check finds that
    something is not here.

    Example: nocturna fetch data/jobs/opiniones.yaml --check
    """
    described = described_job((), job, {})
    from nocturna.tasks.run.fetching import fetch as bring

    try:
        found = bring(described, check)
    except NocturnaError as error:
        error.exit_code = 1 if check else error.exit_code
        raise
    if pin:
        from nocturna.tasks.run.fetching import pin as write

        write(job, described, found)
    if as_json:
        print(json.dumps({"fetched": [asdict(one) for one in found]}, ensure_ascii=False))
        return
    from nocturna.console import person_console
    from nocturna.terminal_tables import plain

    for one in found:
        size = f"{one.bytes / 1e6:,.1f} MB"
        plain(person_console(), f"{one.kind:<8} {one.name}@{one.revision}  {size}  {one.place}")
    if pin and any(one.of_hub for one in found):
        plain(person_console(), f"{job}: the commits are written there")
