"""Kept values of rows of text: JSON numbers and booleans as such, everything else as text."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any

import pyarrow as pa

from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.jsonrows import Number, to_text
from nocturna.tasks.corpus.kept_types import text_of

_WHOLE = re.compile(r"-?\d+")
_LOW, _HIGH = -(2**63), 2**63 - 1
_EXACT = 2**53
_DIGITS = 20
"""Of a number of 64 bits, with its sign."""


def column_of(values: Sequence[Any]) -> tuple[pa.Array, pa.Array | None]:
    """A column of values that were parsed: of numbers or booleans if all are, else of texts.

    Of nulls alone it has no type yet.
    Numbers that neither 64-bit whole numbers nor floats hold exactly are texts, digit by digit.

    Returns:
        the column, and where its numbers are written otherwise than the column would write them,
        the column as it was written.
    """
    kinds = {*map(type, values)}
    if kinds <= {str, NoneType} and str in kinds:
        return _texts(values), None
    given = [value for value in values if value is not None and value is not MISSING]
    if not given:
        return pa.nulls(len(values)), None
    if all(isinstance(value, bool) for value in given):
        return pa.array([None if value is MISSING else value for value in values], pa.bool_()), None
    if all(isinstance(value, Number) for value in given):
        if (whole := _whole_numbers(values)) is not None:
            return whole, None
        kind: type[int] | type[float] | None = None
        if all(map(_is_whole, given)):
            kind = int
        elif all(map(_is_float, given)):
            kind = float
        if kind is not None:
            plain = map(_or_none, values)
            numbers = pa.array([kind(value) if value else None for value in plain])
            alike = all(text_of(kind(value)) == value for value in given)
            return numbers, None if alike else _texts(values)
    return _texts(values), None


def _texts(values: Sequence[Any]) -> pa.Array:
    try:
        if {*map(type, values)} <= {str, NoneType}:
            return pa.array(values, pa.string())
    except UnicodeEncodeError:
        pass
    return pa.array([plain_text(value) for value in values], pa.string())


def _whole_numbers(values: Sequence[Any]) -> pa.Array | None:
    """Whole numbers that are written as this column would write them; None of others."""
    texts = pa.array([None if v is None or v is MISSING else str(v) for v in values], pa.string())
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if numbers.cast(pa.string()).equals(texts) else None


def plain_text(value: Any) -> str | None:
    """A kept value as text: texts as they are, other JSON values as JSON text."""
    if value is None or value is MISSING:
        return None
    text = str(value) if isinstance(value, str) else to_text(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


def _is_whole(number: str) -> bool:
    short = len(number) <= _DIGITS and _WHOLE.fullmatch(number)
    return bool(short) and _LOW <= int(number) <= _HIGH


def _is_float(number: str) -> bool:
    """Whether a float stands for this number and no other one that is written as short."""
    if _WHOLE.fullmatch(number):
        return len(number) <= _DIGITS and abs(int(number)) <= _EXACT
    try:
        return Decimal(number) == Decimal(repr(float(number)))
    except InvalidOperation:
        return False
