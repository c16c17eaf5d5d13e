"""Scores against each other, against kept columns of few values, and over a kept date."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pyarrow as pa

from nocturna.tasks.reading.scores_there import ScoreThere
from nocturna.tasks.results.schema import OUR_NAMES, further_columns
from nocturna.tasks.results.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb

MOST_VALUES = 12
"""Of a kept column, and of labels of a score, so that a table of both can be read."""

MOST_TABLES = 12
MOST_PERIODS = 60
_WEEKS = 26 * 7
_MONTHS = 60 * 31


@dataclass(frozen=True)
class Crossed:
    """Documents by two things.

    Attributes:
        rows: score or column whose values are the rows, and those values.
        columns: the score whose labels are the columns, and those labels.
        counts: documents, a list a row.
    """

    rows: str
    row_values: tuple[str, ...]
    columns: str
    column_values: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class OverTime:
    """Labels of a score over a kept date.

    Attributes:
        unit: week, month or year.
        periods: first day of each, ISO 8601, without gaps.
        documents: those that have the score, a number a period.
        counts: by label, a number a period.
        undated: documents whose date is none.
    """

    column: str
    score: str
    unit: str
    periods: tuple[str, ...]
    documents: tuple[int, ...]
    counts: dict[str, tuple[int, ...]]
    undated: int


def crossed_scores(
    database: "duckdb.DuckDBPyConnection", scores: Mapping[str, ScoreThere]
) -> list[Crossed]:
    """Every pair of scores of few labels; the one of more labels has the rows."""
    few = [s for s in scores.values() if s.has_label and 2 <= len(s.labels) <= 2 * MOST_VALUES]
    pairs = [sorted(pair, key=lambda s: -len(s.labels)) for pair in combinations(few, 2)]
    return [
        _crossed(database, one.name, list(one.labels), two.name, list(two.labels))
        for one, two in pairs[:MOST_TABLES]
    ]


def crossed_columns(
    database: "duckdb.DuckDBPyConnection", schema: pa.Schema, scores: Mapping[str, ScoreThere]
) -> list[Crossed]:
    """Every kept column of few values against every score of few labels."""
    few = [s for s in scores.values() if s.has_label and 2 <= len(s.labels) <= MOST_VALUES]
    found = []
    for column, values in _few_valued(database, schema):
        found += [_crossed(database, column, values, s.name, list(s.labels)) for s in few]
    return found[:MOST_TABLES]


def kept_names(schema: pa.Schema) -> list[str]:
    """The kept columns of results."""
    return [name for name in further_columns(schema) if name not in OUR_NAMES]


def _few_valued(
    database: "duckdb.DuckDBPyConnection", schema: pa.Schema
) -> Iterator[tuple[str, list[str]]]:
    for name in kept_names(schema):
        kind = schema.field(name).type
        if not (pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
            continue
        sql = f"SELECT {quoted(name)}::VARCHAR, count(*) FROM results WHERE {quoted(name)} "
        sql += f"IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES + 1}"
        values = [value for value, _ in database.execute(sql).fetchall()]
        if 2 <= len(values) <= MOST_VALUES and not any(value.startswith("[") for value in values):
            yield name, values


def _crossed(
    database: "duckdb.DuckDBPyConnection",
    rows: str,
    row_values: Sequence[str],
    columns: str,
    column_values: Sequence[str],
) -> Crossed:
    sql = f"SELECT {quoted(rows)}::VARCHAR, {quoted(columns)}, count(*) FROM results GROUP BY 1, 2"
    found = {(row, column): n for row, column, n in database.execute(sql).fetchall()}
    counts = tuple(tuple(found.get((r, c), 0) for c in column_values) for r in row_values)
    return Crossed(rows, tuple(row_values), columns, tuple(column_values), counts)


def over_time(
    database: "duckdb.DuckDBPyConnection", schema: pa.Schema, scores: Mapping[str, ScoreThere]
) -> list[OverTime]:
    """Every score of few labels that a dated document has, over the first kept column of dates."""
    few = [s for s in scores.values() if s.has_label and 2 <= len(s.labels) <= 2 * MOST_VALUES]
    for name in kept_names(schema):
        unit = _unit(database, schema.field(name))
        if unit is not None:
            every = (_over_time(database, schema.field(name), unit, score) for score in few)
            return [one for one in every if one.periods]
    return []


def _date(field: pa.Field) -> str | None:
    """What makes a date of a column; None where none can be made."""
    if pa.types.is_date(field.type) or pa.types.is_timestamp(field.type):
        day = f"try_cast({quoted(field.name)} AS DATE)"
    elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        day = f"try_cast(left({quoted(field.name)}, 10) AS DATE)"
    else:
        return None
    return f"CASE WHEN {day} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {day} END"


def _unit(database: "duckdb.DuckDBPyConnection", field: pa.Field) -> str | None:
    """Weeks, months or years, as far as the dates reach; None where they are no dates."""
    date = _date(field)
    if date is None:
        return None
    sql = "SELECT count(kept), count(day), max(day) - min(day) FROM "
    sql += f"(SELECT {quoted(field.name)} AS kept, {date} AS day FROM results)"
    ((there, dates, days),) = database.execute(sql).fetchall()
    if not there or dates < 0.9 * there or not days:
        return None
    return "week" if days <= _WEEKS else "month" if days <= _MONTHS else "year"


def _over_time(
    database: "duckdb.DuckDBPyConnection", field: pa.Field, unit: str, score: ScoreThere
) -> OverTime:
    label = quoted(score.name)
    period = f"date_trunc({literal(unit)}, {_date(field)})::DATE"
    sql = f"SELECT {period}, {label}, count(*) FROM results WHERE {label} IS NOT NULL GROUP BY 1, 2"
    rows = database.execute(sql).fetchall()
    found = {(day, name): n for day, name, n in rows if day is not None}
    ends = (min(day for day, _ in found), max(day for day, _ in found)) if found else None
    days = []
    if ends:
        asked = "SELECT unnest(range(?::DATE, ?::DATE + INTERVAL 1 DAY, ?::INTERVAL))::DATE"
        step = f"1 {unit}"
        days = [day for (day,) in database.execute(asked, [*ends, step]).fetchall()]
    days = days[-MOST_PERIODS:]
    return OverTime(
        column=field.name,
        score=score.name,
        unit=unit,
        periods=tuple(day.isoformat() for day in days),
        documents=tuple(sum(found.get((day, name), 0) for name in score.labels) for day in days),
        counts={name: tuple(found.get((day, name), 0) for day in days) for name in score.labels},
        undated=sum(n for day, _, n in rows if day is None),
    )
