"""Published rows of documents whose right label is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nocturna.tasks.results.schema import score_columns
from nocturna.tasks.results.sql import quoted

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, eq=False)
class FoundRows:
    """What is published of m documents that were looked for.

    Attributes:
        at: the place of each among those that were looked for, rising, shape (m,).
        ids: of the rows.
        said: its label; None where a threshold leaves none.
        scores: of every label, NaN for those that it was not asked about, shape (m, labels).
        languages: of each; None where it cannot be told.
        n_tokens: of each, shape (m,).
    """

    at: NDArray[np.int64]
    ids: tuple[str, ...]
    said: tuple[str | None, ...]
    scores: NDArray[np.float32]
    languages: tuple[str | None, ...]
    n_tokens: NDArray[np.int64]


def find_rows(
    database: "duckdb.DuckDBPyConnection",
    source: str,
    schema: pa.Schema,
    score: str,
    hashes: Sequence[str],
    ids: Sequence[str] | None = None,
) -> FoundRows:
    """The rows of documents that have the score.

    Args:
        source: what to select from, in SQL: rows with the columns of `schema`.
        score: with a column for each label.
        hashes: content hash of each document; a text that is another by now is not found.
        ids: of each document; without them any document of the same text will do.
    """
    columns = score_columns(schema, score)
    named = ", ".join(f"r.{quoted(column)}" for column in columns.values())
    known = "r.doc_id = w.doc_id AND " if ids is not None else ""
    sql = f"""
    WITH w AS (SELECT unnest($places) AS place, unnest($hashes) AS content_hash,
        unnest($ids) AS doc_id)
    SELECT w.place, r.doc_id, r.{quoted(score)}, r.language, r.n_tokens, {named}
    FROM w JOIN {source} AS r ON {known}r.content_hash = w.content_hash
    WHERE r.{quoted(f"{score}_score")} IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY w.place ORDER BY r.doc_id) = 1
    ORDER BY w.place"""
    wanted = {
        "places": list(range(len(hashes))),
        "hashes": list(hashes),
        "ids": list(ids) if ids is not None else [""] * len(hashes),
    }
    rows = database.execute(sql, wanted).fetchall() if hashes else []
    values = [[np.nan if v is None else v for v in row[5:]] for row in rows]
    return FoundRows(
        at=np.array([row[0] for row in rows], dtype=np.int64),
        ids=tuple(row[1] for row in rows),
        said=tuple(row[2] for row in rows),
        scores=np.array(values, dtype=np.float32).reshape(len(rows), len(columns)),
        languages=tuple(row[3] for row in rows),
        n_tokens=np.array([row[4] or 0 for row in rows], dtype=np.int64),
    )


def count_labels(
    database: "duckdb.DuckDBPyConnection", source: str, score: str
) -> dict[str | None, int]:
    """Documents that have the score, by label; None for those that a threshold leaves without."""
    label, top = quoted(score), quoted(f"{score}_score")
    sql = f"SELECT {label}, count(*) FROM {source} WHERE {top} IS NOT NULL GROUP BY 1 ORDER BY 1"
    return dict(database.execute(sql).fetchall())
