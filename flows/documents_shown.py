"""Documents for a person: what each is, what its scores are, and its text where it is kept."""

import textwrap
from typing import Any

import pyarrow as pa

from nocturna.answers import as_text
from nocturna.console import person_console
from nocturna.tasks.reading.picking import Picked
from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.terminal_tables import plain

MOST_CHARACTERS = 600
"""Of a text that is shown; `--json` has all of it."""


def print_documents(found: Picked, schema: pa.Schema) -> None:
    """Prints a paragraph a document, and how many there are like them."""
    console, scores = person_console(), scores_there(schema)
    for row in found.rows:
        said = [_score(score, row) for score in scores.values()]
        facts = [row["doc_id"], *filter(None, said), row.get("language") or ""]
        plain(console, "  ".join(filter(None, facts)))
        plain(console, f"    {row['source_uri']}, row {row['source_row']:,}")
        if row.get("text"):
            for line in lines_of(row["text"], min(console.width, 100) - 6):
                plain(console, f"    {line}")
        plain(console, "")
    plain(console, f"{len(found.rows):,} of {found.found:,} documents")


def _score(score: ScoreThere, row: dict[str, Any]) -> str:
    value = row[score.name]
    if value is None:
        return ""
    if not score.has_label:
        return f"{score.name} {as_text(value)}"
    return f"{score.name} {value} {row[f'{score.name}_score']:.2f}"


def lines_of(text: str, width: int) -> list[str]:
    """The start of a text as lines of a width."""
    shown = " ".join(text[: MOST_CHARACTERS + 1].split())
    if len(text) > MOST_CHARACTERS:
        shown = f"{shown[:MOST_CHARACTERS]}… ({len(text):,} characters)"
    return textwrap.wrap(shown, max(40, width))
