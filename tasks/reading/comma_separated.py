"""Rows as CSV that a spreadsheet opens without computing anything."""

import io
import json
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.reading.cells import FORMULAS, is_formula, plain

_FORMULA = f"^[{''.join(FORMULAS)}]".replace("-", r"\-")


_AS_THEY_ARE = (
    *(pa.types.is_integer, pa.types.is_boolean, pa.types.is_date, pa.types.is_decimal),
    pa.types.is_null,
)


def write_csv(reader: pa.RecordBatchReader, target: TextIO) -> int:
    """Writes a header and every row: texts in quotation marks, null as nothing, times in ISO 8601.

    A text that a spreadsheet would compute gets an apostrophe in front, lists become JSON.

    Returns:
        how many texts got an apostrophe.
    """
    names = [f"'{name}" if is_formula(name) else name for name in reader.schema.names]
    target.write(_csv([pa.array([name]) for name in names], names))
    quoted = 0
    for batch in reader:
        cells = [_cells(column) for column in batch.columns]
        quoted += sum(n for _, n in cells)
        target.write(_csv([column for column, _ in cells], names))
    return quoted


def _csv(columns: list[pa.Array], names: list[str]) -> str:
    from pyarrow import csv

    written = io.BytesIO()
    options = csv.WriteOptions(include_header=False)
    csv.write_csv(pa.RecordBatch.from_arrays(columns, names), written, options)
    return written.getvalue().decode()


def _cells(column: pa.Array) -> tuple[pa.Array, int]:
    """A column as Arrow writes it, and how many of its texts got an apostrophe."""
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind)), 0
    if any(test(kind) for test in _AS_THEY_ARE):
        return column, 0
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = pa.array([_text(value) for value in column.to_pylist()], pa.large_string())
    computed = pc.fill_null(pc.match_substring_regex(column, _FORMULA), False)
    found = int(pc.sum(computed).as_py() or 0)
    if found:
        mark = pa.scalar("'", column.type)
        marked = pc.binary_join_element_wise(mark, column, pa.scalar("", column.type))
        column = pc.if_else(computed, marked, column)
    return column, found


def _text(value: object) -> str | None:
    found = plain(value)
    if isinstance(found, dict | list):
        return json.dumps(found, ensure_ascii=False)
    return None if found is None else str(found)
