"""How long the documents are, and in which languages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MOST_LANGUAGES = 12


@dataclass(frozen=True)
class Lengths:
    """Documents with scores by size and language.

    Attributes:
        median, p90, most: tokens.
        bins: documents by length: from so many tokens to below so many, doubling.
        windowed: documents that were read in several windows.
        truncated: documents of which text was left out.
        languages: documents by language, the most frequent first.
        unknown: documents whose language could not be told.
        other_languages: languages beyond those that are listed.
    """

    median: int
    p90: int
    most: int
    bins: tuple[tuple[int, int, int], ...]
    windowed: int
    truncated: int
    languages: dict[str, int]
    unknown: int
    other_languages: int


def lengths(database: "duckdb.DuckDBPyConnection") -> Lengths:
    """Counts the documents with scores by length and language."""
    sql = """
    SELECT quantile_disc(n_tokens, [0.5, 0.9, 1.0]), count(*) FILTER (WHERE n_windows > 1),
        count(*) FILTER (WHERE truncated) FROM results WHERE status = 'ok'"""
    ((quantiles, windowed, truncated),) = database.execute(sql).fetchall()
    power = "floor(log2(greatest(n_tokens, 1)))::INT"
    sql = f"SELECT {power}, count(*) FROM results WHERE status = 'ok' AND n_tokens IS NOT NULL"
    powers = dict(database.execute(f"{sql} GROUP BY 1").fetchall())
    span = range(min(powers, default=0), max(powers, default=-1) + 1)
    sql = "SELECT language, count(*) FROM results WHERE status = 'ok' GROUP BY 1"
    counts = dict(database.execute(f"{sql} ORDER BY 2 DESC, 1").fetchall())
    unknown = counts.pop(None, 0)
    median, p90, most = quantiles or (0, 0, 0)
    return Lengths(
        median=median,
        p90=p90,
        most=most,
        bins=tuple((2**p if p else 0, 2 ** (p + 1), powers.get(p, 0)) for p in span),
        windowed=windowed,
        truncated=truncated,
        languages=dict(list(counts.items())[:MOST_LANGUAGES]),
        unknown=unknown,
        other_languages=max(0, len(counts) - MOST_LANGUAGES),
    )
