"""What changed between two nights: which documents came, went or have another label, and why."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.tasks.reading.views import View
from nocturna.tasks.results.sql import READERS, connect, literal, quoted, rows_of

if TYPE_CHECKING:
    import duckdb

TEXT, CONFIG, BOTH = "new text", "new config", "new text and config"
FAILED, WORKED, AGAIN = "failed now", "failed before", "computed again"
ASKED, UNASKED = "asked now", "not asked any more"
NEW, GONE = "new document", "gone"


@dataclass(frozen=True)
class Moved:
    """Documents whose label of a score went from one to another; None is no label.

    Attributes:
        why: new text, new config, both, failed now or before, asked now or not any more, computed
            again with the same config, new document or gone.
    """

    score: str
    before: str | None
    after: str | None
    why: str
    documents: int


@dataclass(frozen=True)
class Change:
    """One document whose label of a score is another; where it is, or was if it is gone."""

    doc_id: str
    score: str
    before: str | None
    after: str | None
    before_score: float | None
    after_score: float | None
    why: str
    source_uri: str
    source_row: int


@dataclass(frozen=True)
class Difference:
    """Two nights side by side.

    Attributes:
        before, after: number, run and time of each snapshot, and its rows.
        new, gone: documents that only the later or the earlier one has.
        changed_text: documents in both, of another text.
        scores_new, scores_gone: scores that only one of them has.
        moved: how labels went, documents that came or went at the end of each score.
        changes: the first of the documents themselves, those that came or went at the end.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    new: int
    gone: int
    changed_text: int
    scores_new: tuple[str, ...]
    scores_gone: tuple[str, ...]
    moved: tuple[Moved, ...]
    changes: tuple[Change, ...]


def difference(before: View, after: View, most: int = 20, only: str | None = None) -> Difference:
    """Compares two snapshots of a job, document by document.

    Args:
        most: how many documents with another label are listed.
        only: the one score to look at; every score that both have by default.
    """
    then, now = scores_there(before.schema), scores_there(after.schema)
    both = [now[name] for name in now if name in then and now[name].has_label]
    both = [s for s in both if then[s.name].has_label and only in (None, s.name)]
    pairs = [_pairs(then[score.name], score) for score in both]
    with tempfile.TemporaryDirectory(prefix="nocturna-") as spill:
        database = connect(after.layout, READERS, spill=Path(spill))
        for name, view in (("a", before), ("b", after)):
            database.execute(f"CREATE VIEW {name} AS FROM {rows_of(view.parts)}")
        counts = _rows(database, _COUNTS)[0]
        union = " UNION ALL ".join(pairs)
        moved = _rows(database, f"{_MOVED} FROM ({union}) {_BY}") if pairs else []
        listed = f"SELECT * FROM ({union}) ORDER BY {_LAST}, doc_id, score LIMIT {int(most)}"
        changes = _rows(database, listed) if pairs else []
        database.close()
    return Difference(
        before=_about(before, counts[3]),
        after=_about(after, counts[4]),
        new=counts[0],
        gone=counts[1],
        changed_text=counts[2],
        scores_new=tuple(name for name in now if name not in then),
        scores_gone=tuple(name for name in then if name not in now),
        moved=tuple(Moved(*row) for row in moved),
        changes=tuple(Change(*row) for row in changes),
    )


_COUNTS = """
SELECT count(*) FILTER (WHERE a.doc_id IS NULL), count(*) FILTER (WHERE b.doc_id IS NULL),
    count(*) FILTER (WHERE a.content_hash <> b.content_hash), count(a.doc_id), count(b.doc_id)
FROM a FULL JOIN b ON a.doc_id = b.doc_id
"""
_MOVED = "SELECT score, before, after, why, count(*)"
_LAST = f"why IN ({literal(NEW)}, {literal(GONE)})"
_BY = f"GROUP BY ALL ORDER BY score, bool_or({_LAST}), count(*) DESC, before, after, why"


def _pairs(then: ScoreThere, now: ScoreThere) -> str:
    """Documents whose labels of a score differ, or that only one night has, and why."""
    label, sure = quoted(now.name), quoted(f"{now.name}_score")
    config = quoted(f"{now.name}_config")
    known = then.has_config and now.has_config
    other = f"a.{config} IS DISTINCT FROM b.{config}" if known else "true"
    text = "a.content_hash IS DISTINCT FROM b.content_hash"
    return f"""
    SELECT coalesce(b.doc_id, a.doc_id) AS doc_id, {literal(now.name)} AS score,
        a.{label} AS before, b.{label} AS after, a.{sure} AS before_score, b.{sure} AS after_score,
        CASE WHEN a.doc_id IS NULL THEN {literal(NEW)} WHEN b.doc_id IS NULL THEN {literal(GONE)}
            WHEN a.status = 'ok' AND b.status <> 'ok' THEN {literal(FAILED)}
            WHEN a.status <> 'ok' AND b.status = 'ok' THEN {literal(WORKED)}
            WHEN a.{label} IS NULL THEN {literal(ASKED)}
            WHEN b.{label} IS NULL THEN {literal(UNASKED)}
            WHEN {text} AND {other} THEN {literal(BOTH)}
            WHEN {text} THEN {literal(TEXT)}
            WHEN {other} THEN {literal(CONFIG)}
            ELSE {literal(AGAIN)} END AS why,
        coalesce(b.source_uri, a.source_uri) AS source_uri,
        coalesce(b.source_row, a.source_row) AS source_row
    FROM a FULL JOIN b ON a.doc_id = b.doc_id WHERE a.{label} IS DISTINCT FROM b.{label}"""


def _rows(database: "duckdb.DuckDBPyConnection", sql: str) -> list[tuple[Any, ...]]:
    return database.execute(sql).fetchall()


def _about(view: View, rows: int) -> dict[str, Any]:
    return {
        "snapshot": view.number,
        "run_id": view.run_id,
        "published_at": view.published_at,
        "rows": rows,
    }
