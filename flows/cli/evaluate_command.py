"""`nocturna evaluate`: how good a model is on a labelled file."""

import json
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, new_app
from nocturna.options import entries
from nocturna.tasks.inference.heads import heads

app = new_app()


@app.command()
def evaluate(
    file: Annotated[str, typer.Argument(help="Labelled file: anything that a job could read.")],
    task: Annotated[str, typer.Option(help="What is scored, such as sentiment or topic.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    gold: Annotated[str, typer.Option(help="Column of the gold label.")] = "label",
    model: Annotated[
        str | None, typer.Option(help="Hub name or local folder; the bundled model if none.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="LIST", help="Candidate labels of a zero-shot task."),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="LIST",
            help="gold=label,...: names of gold labels; gold= leaves one out.",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help=f"Kind of score, with labels: one of {', '.join(heads())}.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Hypothesis with {} for the label.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a labelled file and say how good the model is: accuracy, macro-F1, calibration."""
    from nocturna.tasks.evaluation.file import evaluate_file
    from nocturna.tasks.evaluation.gold import parse_map

    chosen = {"kind": method, "template": template}
    found = evaluate_file(
        file,
        task,
        text=text,
        gold=gold,
        model=model,
        labels=entries("--labels", labels),
        names=parse_map(mapping or ()),
        options={key: value for key, value in chosen.items() if value},
    )
    print(json.dumps(found.as_dict(), ensure_ascii=False) if as_json else found.as_text())
