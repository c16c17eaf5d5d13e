"""Shows what `make demo` made: how often the scores agree with the gold labels, and some rows.

Usage: python -m nocturna.demo OUT/JOB
"""

import sys
from pathlib import Path

import pandas as pd
from rich.table import Table

from nocturna.console import person_console

EXCERPT = 60
GOLD = {"sentiment": "source_sentiment", "topic": "source_topic"}


def show(folder: Path) -> None:
    """Prints the agreement with the gold labels, by language, and the first rows."""
    rows = pd.read_parquet(folder / "results")
    console = person_console()
    console.print()
    console.print(_agreement(rows))
    console.print()
    console.print(_first(rows))
    if "summary" in rows:
        console.print()
        console.print(_summaries(rows))


def _summaries(rows: pd.DataFrame) -> Table:
    table = Table(title="Summaries of the longest documents", title_justify="left", box=None)
    for heading in ("doc_id", "status", "USD", "summary"):
        table.add_column(heading)
    for row in rows.sort_values("n_tokens", ascending=False).head(4).itertuples():
        cost = f"{row.summary_cost_usd:.6f}"
        told = str(row.summary or row.summary_reason)
        table.add_row(str(row.doc_id), str(row.summary_status), cost, told)
    return table


def _agreement(rows: pd.DataFrame) -> Table:
    table = Table(title="Agreement with the gold labels", title_justify="left", box=None)
    table.add_column("")
    groups = {"all": rows} | {str(lang): part for lang, part in rows.groupby("lang")}
    for name, part in groups.items():
        table.add_column(f"{name} ({len(part)})", justify="right")
    for kind, gold in GOLD.items():
        right = [f"{(part[kind] == part[gold]).mean():.1%}" for part in groups.values()]
        table.add_row(kind, *right)
    return table


def _first(rows: pd.DataFrame) -> Table:
    table = Table(title="The first rows", title_justify="left", box=None)
    for heading in ("doc_id", "text", "sentiment", "score", "topic", "score"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    for row in rows.sort_values("source_row").head(8).itertuples():
        text = str(row.text)
        table.add_row(
            str(row.doc_id),
            text if len(text) <= EXCERPT else f"{text[:EXCERPT].rstrip()}…",
            str(row.sentiment),
            f"{row.sentiment_score:.2f}",
            str(row.topic),
            f"{row.topic_score:.2f}",
        )
    return table


if __name__ == "__main__":
    show(Path(sys.argv[1]))
