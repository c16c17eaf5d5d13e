"""JSON rows read exactly: numbers keep their digits, and nothing ambiguous is guessed.

Where the standard leaves room: control characters inside strings are read as they are; NaN,
Infinity and -Infinity, which JSON does not have but common writers produce, are read as a missing
value (NaN) or as the number they name; a row that has one key twice is rejected, because readers
differ on which value counts, and so is one nested deeper than MAX_DEPTH or of more than MAX_PARTS.
"""

import json
import re
from collections import Counter
from typing import Any

_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},]', re.DOTALL)
MAX_DEPTH = 100
"""Deepest nesting of arrays and objects in a row."""

MAX_PARTS = 1_000_000
"""Most values in a row, those inside others included; each takes some hundred bytes of memory."""


class Number(str):
    """A JSON number or constant, as its literal text."""

    __slots__ = ()


class Ambiguous(ValueError):
    """A row that is JSON but that readers would not read alike.

    Attributes:
        reason: `duplicate_key`, or `invalid_json` where it is nested too deeply or too large.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Ambiguous("duplicate_key", f"the key {twice[:80]!r} is there twice")
    return found


def _constant(name: str) -> Number | None:
    return None if name == "NaN" else Number(name)


decoder = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_float=Number,
    parse_int=Number,
    parse_constant=_constant,
    strict=False,
)


def parse(text: str) -> Any:
    """The value of a JSON text; numbers come as `Number`.

    Raises:
        json.JSONDecodeError: if it is not JSON.
        Ambiguous: if an object in it has one key twice, or it is nested deeper than MAX_DEPTH or
            has more than MAX_PARTS.
    """
    check_size(text)
    return decoder.decode(text)


def check_size(text: str, at: int = 0) -> None:
    """Bounds nesting and parts before they are made; Python's own limit depends on who calls.

    Args:
        text: at least the beginning of a value; what follows its end does not count.
        at: where it begins.

    Raises:
        Ambiguous: if it is nested deeper than MAX_DEPTH or has more than MAX_PARTS.
    """
    if text.count("[", at) + text.count("{", at) <= MAX_DEPTH and (text.count(",", at) < MAX_PARTS):
        return
    depth, parts = 0, 1
    for token in _TOKENS.finditer(text, at):
        char = token[0][0]
        if char == '"':
            continue
        depth += 1 if char in "[{" else -1 if char in "]}" else 0
        parts += char in ",[{"
        if depth > MAX_DEPTH:
            raise Ambiguous("invalid_json", f"nested deeper than {MAX_DEPTH} levels")
        if parts > MAX_PARTS:
            raise Ambiguous("invalid_json", f"of more than {MAX_PARTS:,} values")
        if depth <= 0:
            return


def to_text(value: Any) -> str:
    """JSON text of a parsed value, its numbers digit by digit as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{to_text(key)}: {to_text(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(to_text, value))}]"
    return json.dumps(value, ensure_ascii=False)
