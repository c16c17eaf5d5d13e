"""`nocturna history`: the shares of labels, night by night."""

from typing import Annotated

import typer

from nocturna.cli.given import AsCsv, AsJsonRows, Out, new_app, one_form

app = new_app()


@app.command()
def history(
    out: Out,
    score: Annotated[str | None, typer.Option(help="Only this score.")] = None,
    nights: Annotated[
        int, typer.Option("-n", min=1, help="Nights with a column of their own; the line has all.")
    ] = 5,
    as_csv: AsCsv = False,
    as_json: AsJsonRows = False,
) -> None:
    """Show the share of each label, night by night, of all that was published.

    Example: nocturna history out/prensa --score topic
    """
    from nocturna.answers import print_answer
    from nocturna.nights_shown import print_history
    from nocturna.tasks.reading.history import of_score
    from nocturna.tasks.reading.views import job_folder

    one_form({"--csv": as_csv, "--json": as_json})
    found = of_score(job_folder(out), score)
    if as_csv or as_json:
        print_answer(found.to_reader(), as_csv, as_json)
    else:
        print_history(found, nights)
