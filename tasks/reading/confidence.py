"""How sure the scores are, and what that meant where a kept column says what is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nocturna.tasks.interval import wilson
from nocturna.tasks.reading.crossings import kept_names
from nocturna.tasks.reading.scores_there import ScoreThere
from nocturna.tasks.results.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb

BINS = 10
LEAST_GOLD = 20
"""Rows with a gold label below which nothing is said of them."""


@dataclass(frozen=True)
class Bin:
    """Documents whose best label has a score of this range.

    Attributes:
        gold: those of them with a gold label.
        right: those of these whose label is the gold one.
        accuracy: share of these, each weighing the documents that it was drawn for.
    """

    low: float
    high: float
    documents: int
    gold: int
    right: int
    accuracy: float | None


@dataclass(frozen=True)
class Confidence:
    """The scores of the best labels of one score.

    Attributes:
        bins: ten, from 0 to 1.
        gold_column: the job's gold file, or else the kept column whose values are labels of the
            score; None where there is none.
        gold, right: rows with a gold label, and those of them that are right.
        accuracy: share that is right, each row weighing the documents that it was drawn for.
        low, high: its 95 % interval.
        weighed: whether rows weigh unequally.
    """

    score: str
    bins: tuple[Bin, ...]
    gold_column: str | None
    gold: int
    right: int
    accuracy: float | None
    low: float
    high: float
    weighed: bool = False


def confidence(
    database: "duckdb.DuckDBPyConnection",
    schema: pa.Schema,
    score: ScoreThere,
    measured: Mapping[str, Any] | None = None,
) -> Confidence:
    """Counts the documents of a score by how sure it is of them, and those that are right.

    Args:
        measured: what the night found on the gold file of the job, if it has one.
    """
    known_by_file = measured is not None and "bins" in measured
    column = None if known_by_file else _gold_column(database, schema, score)
    gold = f"{quoted(column)} IN ({_labels(score)})" if column else "false"
    right = f"{gold} AND {quoted(column)} = {quoted(score.name)}" if column else "false"
    top = quoted(f"{score.name}_score")
    sql = f"""
    SELECT least(floor({top} * {BINS}), {BINS - 1})::INT, count(*),
        count(*) FILTER (WHERE {gold}), count(*) FILTER (WHERE {right})
    FROM results WHERE {top} IS NOT NULL GROUP BY 1"""
    found = {at: counts for at, *counts in database.execute(sql).fetchall()}
    counts = [found.get(at, (0, 0, 0)) for at in range(BINS)]
    if measured is not None and known_by_file:
        bins = [
            Bin(at / BINS, (at + 1) / BINS, counts[at][0], b["rows"], b["right"], b["accuracy"])
            for at, b in enumerate(measured["bins"])
        ]
        correct = sum(b.right for b in bins)
        ends = measured["accuracy"], *measured["interval"], measured["weighed"]
        return Confidence(
            *(score.name, tuple(bins), str(measured["file"]), measured["rows"], correct), *ends
        )
    bins = [
        Bin(at / BINS, (at + 1) / BINS, n, gold, right, right / gold if gold else None)
        for at, (n, gold, right) in enumerate(counts)
    ]
    known, correct = sum(b.gold for b in bins), sum(b.right for b in bins)
    share = correct / known if known else None
    return Confidence(
        *(score.name, tuple(bins), column, known, correct, share), *wilson(correct, known)
    )


def _gold_column(
    database: "duckdb.DuckDBPyConnection", schema: pa.Schema, score: ScoreThere
) -> str | None:
    """The kept column whose values are labels of the score, nine of ten at least.

    Of several, the one named for the score comes first.
    """
    if len(score.labels) < 2:
        return None
    texts = [n for n in kept_names(schema) if pa.types.is_string(schema.field(n).type)]
    for name in sorted(texts, key=lambda name: score.name not in name):
        named = f"count(*) FILTER (WHERE {quoted(name)} IN ({_labels(score)}))"
        sql = f"SELECT count({quoted(name)}), {named} FROM results"
        ((there, labels),) = database.execute(sql).fetchall()
        if labels >= max(LEAST_GOLD, 0.9 * there):
            return name
    return None


def _labels(score: ScoreThere) -> str:
    return ", ".join(map(literal, score.labels))
