"""Answers in rows: a table for a person, CSV or JSON for a program, written as they come."""

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from nocturna.console import person_console
from nocturna.tasks.reading.cells import plain_rows
from nocturna.tasks.reading.comma_separated import write_csv
from nocturna.tasks.reading.questions import one_line

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1000
"""Of a table for a person."""


def print_answer(answer: "pa.RecordBatchReader", as_csv: bool, as_json: bool) -> None:
    """Prints rows: as CSV, as an array of JSON objects, or as a table.

    Raises:
        UsageError: what the rows are computed with fails on one of them; one line.
    """
    with one_line("the question"):
        if as_csv:
            write_csv(answer, sys.stdout)
        elif as_json:
            _print_json(answer)
        else:
            _print_table(answer)


def _print_json(answer: "pa.RecordBatchReader") -> None:
    before = "[\n"
    for row in plain_rows(answer):
        sys.stdout.write(before + json.dumps(row, ensure_ascii=False))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def _print_table(answer: "pa.RecordBatchReader") -> None:
    from rich.table import Table

    rows = plain_rows(answer)
    shown = list(itertools.islice(rows, MOST_ROWS))
    table = Table(box=None)
    for field in answer.schema:
        right = not str(field.type).startswith(("string", "large_string", "bool", "list"))
        table.add_column(field.name, justify="right" if right else "left", overflow="fold")
    for row in shown:
        table.add_row(*map(as_text, row.values()))
    person_console().print(table)
    if len(shown) == MOST_ROWS and next(rows, None) is not None:
        print(f"the first {MOST_ROWS:,} rows; --csv and --json print all of them", file=sys.stderr)


def as_text(value: Any) -> str:
    """A value as a person reads it in a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) >= 1e-4 else f"{value:.3g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
