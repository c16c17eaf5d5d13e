"""`nocturna query`: a question in SQL to what is published."""

from typing import Annotated

import typer

from nocturna.cli.given import AsCsv, AsJsonRows, At, Out, new_app, one_form

app = new_app()


@app.command()
def query(
    out: Out,
    question: Annotated[
        str, typer.Argument(help='SQL, such as "select topic, count(*) from results group by 1".')
    ],
    at: At = None,
    as_csv: AsCsv = False,
    as_json: AsJsonRows = False,
) -> None:
    """Ask published results in SQL (DuckDB), read only.

    results: a row a document. runs: a row a run. quarantine: rows that could not be read.
    configs: what the configs of scores stand for. history: a row a night, score and label.

    Example: nocturna query out/prensa "select topic, count(*) from results group by 1"
    """
    from nocturna.answers import print_answer
    from nocturna.tasks.reading.questions import ask, asking
    from nocturna.tasks.reading.views import view_of

    one_form({"--csv": as_csv, "--json": as_json})
    with asking(view_of(out, at)) as database:
        print_answer(ask(database, question), as_csv, as_json)
