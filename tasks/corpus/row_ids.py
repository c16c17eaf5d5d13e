"""What identifies a row: a text or a number, as it is written.

Floats that are whole numbers are these: a column of whole numbers becomes one of floats where one
of them is missing.
"""

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from nocturna.tasks.corpus.input_files import MISSING, RAW_BYTES
from nocturna.tasks.corpus.jsonrows import Number, to_text

_EXACT = 2**53
"""A float below is the whole number that was stored; from here on others become it too."""
is_plain = re.compile(r"\d+|-[1-9]\d*").fullmatch
"""Whether a number is written as an id has it."""

MAX_ID = 1024
"""Longest id, in characters."""


def read_id(value: Any) -> tuple[str | None, tuple[str, str] | None]:
    """An id as documents have it, or the reason and the message of a reject."""
    if value is MISSING or value is None or _is_nothing(value):
        return None, ("missing_id", "the id is missing, null or empty")
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, float) and abs(value) < _EXACT:
        value = str(int(value)) if value.is_integer() else repr(value)
    elif isinstance(value, Number):
        value = whole(value)
    if not isinstance(value, str):
        what = (
            "of 2^53 or more, whose last digits are lost; store ids as text"
            if isinstance(value, float)
            else "and no text or number"
        )
        return None, ("invalid_id", f"the id is a {type(value).__name__} {what}")
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, ("invalid_id", "the id holds a lone surrogate, which is no Unicode text")
    if len(value) > MAX_ID:
        return None, ("invalid_id", f"the id is longer than {MAX_ID:,} characters")
    return str(value), None


def _is_nothing(value: Any) -> bool:
    return (
        math.isnan(value)
        if isinstance(value, float)
        else isinstance(value, str) and not value.strip()
    )


def whole(number: Number) -> str:
    """A number as it is written, without the fraction or exponent of one that is whole.

    >>> whole(Number("5.0")), whole(Number("1e3")), whole(Number("5.10")), whole(Number("-0"))
    ('5', '1000', '5.10', '0')
    """
    if is_plain(number):
        return str(number)
    try:
        value = Decimal(number)
        is_whole = value == value.to_integral_value() and abs(value) < _EXACT
    except InvalidOperation:
        return str(number)
    return str(int(value)) if is_whole else str(number)


def raw_of(value: Any) -> bytes:
    """The beginning of an id that is none, for the quarantine."""
    if value is MISSING or value is None:
        return b""
    text = value if isinstance(value, str) else to_text(value)
    return text[:RAW_BYTES].encode("utf-8", "surrogatepass")
