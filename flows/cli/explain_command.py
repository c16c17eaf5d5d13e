"""`nocturna explain`: where one row comes from, and what its scores are from."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, At, Out, new_app
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
def explain(
    out: Out,
    doc_id: Annotated[str, typer.Argument(help="Id of the document.")],
    words: Annotated[
        bool,
        typer.Option("--words", help="Score the text without each word: which moved the scores?"),
    ] = False,
    windows: Annotated[
        bool,
        typer.Option("--windows", help="Score the text again, and say what each window scored."),
    ] = False,
    text: Annotated[
        str | None,
        typer.Option(help="Text of the document, where it is not kept, for --words and --windows."),
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Only this score, for --words and --windows.")
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is published of one document: source line, scores, configs, run, nights.

    Example: nocturna explain out/prensa nota-17 --words
    """
    from nocturna.document_explained import print_explained
    from nocturna.tasks.reading.explaining import explain as find
    from nocturna.tasks.reading.views import job_folder
    from nocturna.tasks.reading.window_scores import window_scores
    from nocturna.tasks.reading.words import moving_words

    if not (words or windows) and (text is not None or score is not None):
        raise UsageError("--text and --score say what is scored again; give --words or --windows")
    found, folder = find(out, doc_id, at), job_folder(out)
    moved = moving_words(folder, found, text, score) if words else ()
    parts = window_scores(folder, found, text, score) if windows else ()
    if as_json:
        again = {"words": list(map(asdict, moved)), "windows": list(map(asdict, parts))}
        values = asdict(found) | again
        print(json.dumps(values, ensure_ascii=False))
    else:
        print_explained(found, moved, parts)
