"""What identifies a row: a text or a number, as it is written."""

from typing import Any

from nocturna.tasks.corpus.input_files import MISSING, RAW_BYTES
from nocturna.tasks.corpus.jsonrows import to_text

MAX_ID = 1024
"""Longest id, in characters."""


def read_id(value: Any) -> tuple[str | None, tuple[str, str] | None]:
    """An id as documents have it, or the reason and the message of a reject."""
    if value is MISSING or value is None or (isinstance(value, str) and not value.strip()):
        return None, ("missing_id", "the id is missing, null or empty")
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        return None, ("invalid_id", f"the id is a {type(value).__name__}, not a text or a number")
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, ("invalid_id", "the id holds a lone surrogate, which is no Unicode text")
    if len(value) > MAX_ID:
        return None, ("invalid_id", f"the id is longer than {MAX_ID:,} characters")
    return str(value), None


def raw_of(value: Any) -> bytes:
    """The beginning of an id that is none, for the quarantine."""
    if value is MISSING or value is None:
        return b""
    text = value if isinstance(value, str) else to_text(value)
    return text[:RAW_BYTES].encode("utf-8", "surrogatepass")
