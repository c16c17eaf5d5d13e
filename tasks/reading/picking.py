"""Documents picked by their labels and by how sure their scores are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.cells import plain
from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.tasks.results.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb

Order = Literal["surest", "least-sure", "sample", "source"]


@dataclass(frozen=True)
class Picked:
    """Documents and how many there are like them.

    Attributes:
        found: documents that have the labels.
        rows: those picked: `doc_id`, `source_uri`, `source_row`, `language`, label and score of
            each score, and `text` where it is kept.
    """

    found: int
    rows: tuple[dict[str, Any], ...]


def pick(
    database: "duckdb.DuckDBPyConnection",
    schema: pa.Schema,
    wanted: Mapping[str, Sequence[str]],
    order: Order = "source",
    most: int = 20,
) -> Picked:
    """Documents that have, of each score that is named, one of the labels.

    Args:
        database: with the view `results`.
        schema: of the results.
        wanted: labels by score.
        order: how sure is the lowest of the scores of the best labels: of the scores that are
            named, or of all. A sample is drawn by a hash of the id, so it is the same each time.
        most: how many documents.

    Raises:
        UsageError: no such score or label; the line names those that there are.
    """
    scores = scores_there(schema)
    tests = [_test(database, _known(scores, name), labels) for name, labels in wanted.items()]
    where = " AND ".join(tests) or "true"
    by = _order(scores, wanted, order)
    columns = ["doc_id", "source_uri", "source_row", "language"]
    for score in scores.values():
        columns += [score.name, f"{score.name}_score"] if score.has_label else [score.name]
    names = [name for name in [*columns, "text"] if name in schema.names]
    ((found,),) = database.execute(f"SELECT count(*) FROM results WHERE {where}").fetchall()
    listed = ", ".join(map(quoted, names))
    sql = f"SELECT {listed} FROM results WHERE {where} ORDER BY {by} LIMIT {int(most)}"
    table = database.sql(sql).to_arrow_table()
    return Picked(found, tuple(plain(row) for row in table.to_pylist()))


def _known(scores: Mapping[str, ScoreThere], name: str) -> ScoreThere:
    if name not in scores:
        raise UsageError(f"--{name}: no score of that name; there are {', '.join(scores)}")
    if not scores[name].has_label:
        raise UsageError(f"--{name}: it is a number without labels; `nocturna query` compares it")
    return scores[name]


def _test(database: "duckdb.DuckDBPyConnection", score: ScoreThere, labels: Sequence[str]) -> str:
    column, there = quoted(score.name), list(score.labels)
    if not there:
        sql = (
            f"SELECT {column} FROM results WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*)"
        )
        there = [label for (label,) in database.execute(f"{sql} DESC, 1").fetchall()]
    alike = {label.casefold(): label for label in there}
    meant = []
    for label in labels:
        found = label if label in there else alike.get(label.casefold())
        if found is None:
            raise UsageError(f"--{score.name} {label}: no such label; there are {_listed(there)}")
        meant.append(literal(found))
    return f"{column} IN ({', '.join(meant)})"


def _listed(labels: Sequence[str], most: int = 30) -> str:
    more = f" and {len(labels) - most:,} more" if len(labels) > most else ""
    return ", ".join(labels[:most]) + more


def _order(scores: Mapping[str, ScoreThere], wanted: Mapping[str, Any], order: Order) -> str:
    if order == "source":
        return "source_uri, source_row, doc_id"
    if order == "sample":
        return "md5(doc_id), doc_id"
    sure = [f"{name}_score" for name in wanted or scores if scores[name].has_label]
    if not sure:
        raise UsageError(f"--{order}: no score here has labels, so none says how sure it is")
    lowest = f"least({', '.join(map(quoted, sure))})"
    return f"{lowest} {'DESC' if order == 'surest' else 'ASC'} NULLS LAST, doc_id"
