"""Values of rows for other programs: as JSON has them, and which a spreadsheet takes for code."""

import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the start of a formula (OWASP, CSV injection)."""


def columns_of(batch: pa.RecordBatch) -> list[list[Any]]:
    """The columns of rows as Python values; floats of 32 bits in their own digits."""
    return [_values(column) for column in batch.columns]


def _values(column: pa.Array) -> list[Any]:
    if column.type != pa.float32():
        return list(column.to_pylist())
    return [None if text is None else float(text) for text in column.cast(pa.string()).to_pylist()]


def plain_rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Rows as values that JSON has: times in ISO 8601, numbers as numbers."""
    for batch in reader:
        names = batch.schema.names
        for row in zip(*columns_of(batch), strict=True):
            yield {name: plain(value) for name, value in zip(names, row, strict=True)}


def plain(value: Any) -> Any:
    """A value as JSON has it; null for what is no number.

    >>> plain({"share": float("nan"), "raw": b"caf\\xe9"})
    {'share': None, 'raw': 'caf\\\\xe9'}
    >>> plain(pa.MonthDayNano([1, -2, 1_500_000_000]))
    'P1M-2DT1.5S'
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pa.MonthDayNano):
        return (
            f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds).scaleb(-9).normalize():f}S"
        )
    if isinstance(value, dict):
        return {str(name): plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return _as_json(value)


def _as_json(value: Any) -> int | float | str:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet would compute a text instead of showing it."""
    return isinstance(value, str) and value.startswith(FORMULAS)
