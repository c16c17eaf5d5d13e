"""`nocturna labels`: `try` wordings of labels on some texts, before a night is scored with them."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nocturna.cli.given import AsJson
from nocturna.options import entries
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.job.listed import inline_mapping

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def labels() -> None:
    """Labels are a craft: try wordings and templates on some texts.

    Example: nocturna labels try textos.csv --text texto --labels "política,economía"
    """


@app.command("try")
def try_command(
    corpus: Annotated[str, typer.Argument(help="Corpus: anything that a job could read.")],
    worded: Annotated[
        list[str],
        typer.Option(
            "--labels",
            metavar="LIST",
            help="Labels, once for each wording of them; or a mapping of labels to wordings.",
        ),
    ],
    templates: Annotated[
        list[str] | None,
        typer.Option("--template", help="Hypothesis with {} for the label, once for each."),
    ] = None,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    id: Annotated[str | None, typer.Option("--id", help="Column of the id.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Hub name or local folder; the bundled model if none.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help=f"Kind of score: one of {', '.join(heads())}.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the job; chooses the default template.")] = "es",
    sample: Annotated[int, typer.Option(min=1, help="Rows to draw from all of the corpus.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws others.")] = 0,
    gold: Annotated[str | None, typer.Option(help="Column of the gold label.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="LIST", help="gold=label,...: names of gold labels."),
    ] = None,
    most: Annotated[int, typer.Option("-n", min=0, help="Texts that differ to show.")] = 10,
    differ: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all texts that differ, as .csv, .xlsx or .jsonl."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score some texts with several wordings of labels and compare: shares, agreement, overlap.

    Every list is tried with every template. Labels of later lists stand for those of the first.

    Example: nocturna labels try notas.csv --labels "política,economía" --labels "gobierno,dinero"
    """
    from nocturna.evaluating import check_errors_file, write_texts
    from nocturna.tasks.evaluation.gold import parse_map
    from nocturna.tasks.evaluation.wording_tables import trial_as_text
    from nocturna.tasks.evaluation.wording_trial import try_wordings

    if differ is not None:
        check_errors_file(differ, "--differ")
    if mapping and gold is None:
        raise UsageError("--map: names gold labels; say with --gold which column holds them")
    chosen = {"model": model, "kind": method}
    found, texts = try_wordings(
        {"path": corpus, "text": text, **({"id": id} if id else {})},
        [_labels(said) for said in worded],
        templates or (),
        {key: value for key, value in chosen.items() if value},
        language=language,
        rows=sample,
        seed=seed,
        gold=gold,
        names=parse_map(mapping or ()),
    )
    if as_json:
        shown = texts.slice(0, most).to_pylist()
        print(json.dumps({**found.as_dict(), "differ": shown}, ensure_ascii=False))
    else:
        print(trial_as_text(found, texts, most))
    if differ is not None:
        told = write_texts(differ, texts, "texts differ")
        print(told, file=sys.stderr if as_json else sys.stdout)


def _labels(said: str) -> Any:
    """A list of labels, or labels with their wordings."""
    if not said.lstrip().startswith("{"):
        return entries("--labels", [said])
    found = inline_mapping(said)
    if found is None:
        raise UsageError(f"--labels {said!r}: expected a list, or {{label: [wording, wording]}}")
    return found
