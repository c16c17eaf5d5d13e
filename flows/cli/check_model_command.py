"""`nocturna check-model`: what a model is, and whether its scores are its authors' own."""

import json
from typing import Annotated, Any

import typer

from nocturna.cli.given import AsJson, new_app
from nocturna.options import entries
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads

app = new_app()


@app.command()
def check_model(
    model: Annotated[str, typer.Argument(help="Hub name or local folder.")],
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="LIST", help="Candidate labels, for a zero-shot model."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"Kind of score: one of {', '.join(heads())}.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.")] = None,
    template: Annotated[str | None, typer.Option(help="Hypothesis with {} for the label.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Load a model as a night would, say what it is and compare it with its authors' own way.

    Ends with 1 where a night would refuse the model or score it otherwise.

    Example: nocturna check-model pysentimiento/robertuito-emotion-analysis
    """
    from nocturna.tasks.evaluation.model_check import check_model as check
    from nocturna.tasks.inference.models import find_model, resolve_model
    from nocturna.terminal_tables import print_model

    # One that is not there is a usage error; the weights of one that is are read once, later.
    ref = find_model(model, revision, "sentiment") or resolve_model(model, revision, "sentiment")
    given: dict[str, Any] = {"kind": kind, "revision": revision, "template": template}
    given["labels"] = entries("--labels", labels)
    try:
        found = check(ref, {key: value for key, value in given.items() if value}, device)
    except UsageError as error:
        error.exit_code = 1
        raise
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False))
    else:
        print_model(found)
    raise typer.Exit(0 if found.equal else 1)
