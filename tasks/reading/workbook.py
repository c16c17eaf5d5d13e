"""Rows as an Excel workbook: numbers, dates and texts as what they are, no text as a formula."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.cells import columns_of, is_formula, plain

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""What a sheet and a cell of Excel hold; characters in units of UTF-16."""

AS_GIVEN = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
"""What keeps xlsxwriter from taking texts for anything else."""

_DIGITS = 10**15
"""Beyond this Excel rounds whole numbers; they are written as texts."""


@dataclass
class Written:
    """What was changed so that the rows fit in cells."""

    formulas: int = 0
    cut: int = 0


def check_fits(rows: int, columns: int) -> None:
    """Refuses rows that a sheet does not hold.

    Raises:
        UsageError: there are more, or more columns; the line says what to do.
    """
    if rows >= MOST_ROWS:
        raise UsageError(
            f"--xlsx: {rows:,} rows, and a sheet of Excel holds {MOST_ROWS - 1:,} below its "
            "header; take --csv or --jsonl, or `nocturna query` for some of them"
        )
    if columns > MOST_COLUMNS:
        raise UsageError(
            f"--xlsx: {columns:,} columns, and a sheet of Excel holds {MOST_COLUMNS:,}; "
            "name fewer with --columns, or take --csv or --jsonl"
        )


def write_workbook(reader: pa.RecordBatchReader, schema: pa.Schema, path: Path) -> Written:
    """Writes the rows to a sheet `results`, and what its columns mean to a sheet `columns`.

    One row at a time is held in memory.

    Args:
        reader: the rows.
        schema: their columns, with the description of each.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    book = xlsxwriter.Workbook(path, {"constant_memory": True, **AS_GIVEN})
    written, sheet = Written(), book.add_worksheet("results")
    cells = Cells(book, sheet, written)
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(reader.schema.names):
        cells.put(0, column, name)
    row = 0
    for batch in reader:
        for values in zip(*columns_of(batch), strict=True):
            row += 1
            for column, value in enumerate(values):
                cells.put(row, column, value)
    sheet.autofilter(0, 0, max(row, 1), len(reader.schema.names) - 1)
    _explain(book, schema, written)
    try:
        book.close()
    except FileCreateError as error:  # what the system said is in it
        raise error.args[0] from None
    return written


def _explain(book: Any, schema: pa.Schema, written: Written) -> None:
    sheet = book.add_worksheet("columns")
    cells = Cells(book, sheet, written)
    for row, values in enumerate([("column", "type", "meaning", "unit", "label"), *_notes(schema)]):
        for column, value in enumerate(values):
            cells.put(row, column, value)


def _notes(schema: pa.Schema) -> list[tuple[str, ...]]:
    about = [{k.decode(): v.decode() for k, v in (f.metadata or {}).items()} for f in schema]
    return [
        (f.name, str(f.type), *(of.get(key, "") for key in ("description", "unit", "label")))
        for f, of in zip(schema, about, strict=True)
    ]


class Cells:
    """Puts values in a sheet by their own type; no text becomes a formula.

    Args:
        wrapped: whether texts take as many lines of a cell as they need.
    """

    def __init__(self, book: Any, sheet: Any, written: Written, wrapped: bool = False) -> None:
        self._sheet, self._written = sheet, written
        look = {"text_wrap": True, "valign": "top"} if wrapped else {}
        self._plain = [book.add_format(look)] if look else []
        self._text = book.add_format({"quote_prefix": True, **look})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})

    def put(self, row: int, column: int, value: Any) -> None:
        if isinstance(value, datetime | date) and value.year >= 1900:
            time = isinstance(value, datetime)
            value = value.replace(tzinfo=None) if isinstance(value, datetime) else value
            form = self._time if time else self._day
            self._sheet.write_datetime(row, column, value, form)
            return
        value = plain(value)
        if isinstance(value, dict | list):
            value = json.dumps(value, ensure_ascii=False)
        if isinstance(value, bool):
            self._sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float) and abs(value) < _DIGITS:
            self._sheet.write_number(row, column, value)
        elif value is not None:
            self._put_text(row, column, str(value))

    def _put_text(self, row: int, column: int, text: str) -> None:
        shown = fitting(text)
        self._written.cut += shown != text
        self._written.formulas += is_formula(text)
        form = [self._text] if is_formula(text) else self._plain
        self._sheet.write_string(row, column, shown, *form)


def fitting(text: str) -> str:
    """The text, or as much of its start as a cell holds.

    >>> len(fitting("a" * 40_000)), len(fitting("😀" * 40_000))
    (32767, 16383)
    """
    if len(text) * 2 <= MOST_CHARACTERS:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    return units[: 2 * MOST_CHARACTERS].decode("utf-16-le", "ignore")
