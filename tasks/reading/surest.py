"""Documents worth reading: of each label the surest and the least sure, and texts that repeat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nocturna.tasks.reading.scores_there import ScoreThere
from nocturna.tasks.results.sql import quoted

if TYPE_CHECKING:
    import duckdb

EACH = 3
"""Documents at either end of a label."""

MOST_CHARACTERS = 280
"""Of a text in the report."""

MOST_LABELS = 12


@dataclass(frozen=True)
class Told:
    """A document in the report.

    Attributes:
        text: the start of it, where texts are kept.
    """

    doc_id: str
    source_uri: str
    source_row: int
    score: float
    text: str | None


@dataclass(frozen=True)
class Ends:
    """The documents at both ends of a label."""

    score: str
    label: str
    surest: tuple[Told, ...]
    least_sure: tuple[Told, ...]


@dataclass(frozen=True)
class Repeats:
    """Texts that several documents have.

    Attributes:
        texts: distinct texts that more than one document has.
        documents: documents that have one of them.
        most: the texts of most documents: how many, one of their ids, the start of the text.
    """

    texts: int
    documents: int
    most: tuple[dict[str, Any], ...]


def ends(database: "duckdb.DuckDBPyConnection", schema: pa.Schema, score: ScoreThere) -> list[Ends]:
    """The surest and the least sure documents of each label of a score."""
    label, top = quoted(score.name), quoted(f"{score.name}_score")
    by = f"doc_id, ({top}, doc_id), {EACH}"
    sql = f"SELECT {label}, max_by({by}), min_by({by}) FROM results WHERE {label} IS NOT NULL"
    sides = {
        name: (most, least)
        for name, most, least in database.execute(f"{sql} GROUP BY 1").fetchall()
    }
    labels = ([name for name in score.labels if name in sides] or sorted(sides))[:MOST_LABELS]
    wanted = sorted({doc_id for name in labels for side in sides[name] for doc_id in side})
    sql = f"SELECT doc_id, source_uri, source_row, {top}, {_text(schema)} FROM results"
    rows = database.execute(f"{sql} WHERE list_contains(?, doc_id)", [wanted]).fetchall()
    found = {row[0]: _told(row) for row in rows}
    return [
        Ends(score.name, name, *(tuple(found[doc_id] for doc_id in side) for side in sides[name]))
        for name in labels
    ]


def repeats(database: "duckdb.DuckDBPyConnection", schema: pa.Schema) -> Repeats:
    """Texts that more than one document has; empty ones aside."""
    sql = """
    SELECT content_hash, count(*) AS "repeats of it", min(doc_id) AS "first of it" FROM results
    WHERE status = 'ok' GROUP BY 1 HAVING count(*) > 1"""
    counted = f'SELECT count(*), sum("repeats of it") FROM ({sql})'
    ((texts, documents),) = database.execute(counted).fetchall()
    both, order = '"repeats of it", "first of it"', '"repeats of it" DESC, "first of it"'
    listed = f"SELECT {both} FROM ({sql}) ORDER BY {order} LIMIT 5"
    asked = f'SELECT {both}, {_text(schema)} FROM ({listed}) JOIN results ON doc_id = "first of it"'
    rows = database.execute(f"{asked} ORDER BY {order}").fetchall() if texts else []
    most = tuple({"documents": n, "doc_id": i, "text": _start(text)} for n, i, text in rows)
    return Repeats(texts, int(documents or 0), most)


def _text(schema: pa.Schema) -> str:
    return f"left(text, {MOST_CHARACTERS + 1})" if "text" in schema.names else "NULL"


def _told(row: tuple[Any, ...]) -> Told:
    doc_id, uri, position, score, text = row
    return Told(doc_id, uri, position, round(score, 6), _start(text))


def _start(text: str | None) -> str | None:
    if text is None:
        return None
    shown = " ".join(text[:MOST_CHARACTERS].split())
    return f"{shown}…" if len(text) > MOST_CHARACTERS else shown
