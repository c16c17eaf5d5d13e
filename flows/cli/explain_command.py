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
    text: Annotated[
        str | None, typer.Option(help="Text of the document, where it is not kept, for --words.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="Only this score, for --words.")] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is published of one document: source line, scores, configs, run, nights.

    Example: nocturna explain out/prensa nota-17 --words
    """
    from nocturna.document_explained import print_explained
    from nocturna.tasks.reading.explaining import explain as find
    from nocturna.tasks.reading.views import job_folder
    from nocturna.tasks.reading.words import moving_words

    if not words and (text is not None or score is not None):
        raise UsageError("--text and --score say whose words are left out; give --words too")
    found = find(out, doc_id, at)
    moved = moving_words(job_folder(out), found, text, score) if words else ()
    if as_json:
        values = {**asdict(found), "words": [asdict(entry) for entry in moved]}
        print(json.dumps(values, ensure_ascii=False))
    else:
        print_explained(found, moved)
