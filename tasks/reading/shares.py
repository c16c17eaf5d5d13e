"""How many documents have each label, how exact such a share is, and what it was before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nocturna.tasks.interval import wilson
from nocturna.tasks.reading.scores_there import ScoreThere
from nocturna.tasks.results.sql import quoted

if TYPE_CHECKING:
    import duckdb

MOST_LABELS = 30
"""Of a score whose labels documents bring along."""


@dataclass(frozen=True)
class Share:
    """Documents with a label.

    Attributes:
        share: of the documents that have the score, 0 to 1.
        low, high: 95 % interval of the share, were the documents drawn by chance from many alike;
            the model's own errors are not in it.
        before: the share of the night before; None where there is none.
        beyond: whether the share before lies outside of the interval.
    """

    label: str
    documents: int
    share: float
    low: float
    high: float
    before: float | None = None
    beyond: bool = False


@dataclass(frozen=True)
class ScoreShares:
    """A score over all published documents.

    Attributes:
        documents: those that have it.
        shares: by label, in the order of the labels; none where it is a number.
        mean: of the best label's score, or of the number.
        quantiles: of a number: least, 10 %, half, 90 %, most.
        other_labels: labels beyond those that are listed.
    """

    name: str
    gives: str
    documents: int
    shares: tuple[Share, ...]
    mean: float | None
    quantiles: tuple[float, ...] = ()
    other_labels: int = 0


def score_shares(
    database: "duckdb.DuckDBPyConnection", score: ScoreThere, before: Mapping[str, float]
) -> ScoreShares:
    """Counts a score.

    Args:
        database: with the view `results`.
        before: shares of the night before, by label; empty where there was none.
    """
    column = quoted(score.name)
    if not score.has_label:
        quantiles = f"quantile_cont({column}, [0, 0.1, 0.5, 0.9, 1])"
        sql = f"SELECT count({column}), avg({column}), {quantiles} FROM results"
        ((documents, mean, found),) = database.execute(sql).fetchall()
        return ScoreShares(score.name, score.gives, documents, (), mean, tuple(found or ()))
    top = quoted(f"{score.name}_score")
    sql = f"SELECT {column}, count(*), avg({top}) FROM results WHERE {column} IS NOT NULL"
    rows = database.execute(f"{sql} GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    counts: dict[str, int] = {label: n for label, n, _ in rows}
    documents = sum(counts.values())
    labels = list(score.labels) or list(counts)[:MOST_LABELS]
    mean = sum(n * value for _, n, value in rows) / documents if documents else None
    return ScoreShares(
        name=score.name,
        gives=score.gives,
        documents=documents,
        shares=tuple(_share(label, counts.get(label, 0), documents, before) for label in labels),
        mean=mean,
        other_labels=len(set(counts) - set(labels)),
    )


def _share(label: str, hits: int, of: int, before: Mapping[str, float]) -> Share:
    low, high = wilson(hits, of)
    then = before.get(label, 0.0) if before else None
    beyond = then is not None and not low <= then <= high
    return Share(label, hits, hits / of if of else 0.0, low, high, then, beyond)


def shares_by_night(rows: list[dict[str, Any]]) -> dict[str, dict[int, dict[str, float]]]:
    """The rows of a history as shares by score, snapshot and label."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for row in rows:
        if row["label"] is not None:
            night = found.setdefault(row["score"], {}).setdefault(row["snapshot"], {})
            night[row["label"]] = row["share"]
    return found
