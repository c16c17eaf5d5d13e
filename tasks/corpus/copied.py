r"""Records as databases write them in text: PostgreSQL's COPY, MySQL's and Hive's exports.

Nothing is quoted. `\N` by itself is null; a backslash stands before a line break, a delimiter or a
backslash that belongs to a field, and `\t`, `\n` and their like are these characters.
Source: PostgreSQL's documentation of COPY, "Text Format".
"""

import re
from collections.abc import Iterable, Iterator

from nocturna.tasks.corpus.delimited import Record
from nocturna.tasks.corpus.input_files import MAX_RECORD
from nocturna.tasks.corpus.lines import Line, one_by_one

NULL = r"\N"
_END = rb"\."
_WRITTEN = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_CHARACTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BACKSLASHES = re.compile(rb"(?<!\\)(?:\\\\)*\\\Z")


def iter_copied(lines: Iterable[Line], delimiter: str, encoding: str) -> Iterator[Record]:
    """The records of a stream; blank lines between them are none, nor is the `\\.` at the end."""
    field = re.compile(rf"(?:[^\\{re.escape(delimiter)}]|\\.|\\\Z)*", re.DOTALL)
    begun: list[Line] = []
    for line in _single(lines):
        if not begun and (not line.data.strip(b" \r\n") or line.data.rstrip(b"\r") == _END):
            continue
        begun.append(line)
        if line.whole and _BACKSLASHES.search(line.data) and _size(begun) <= MAX_RECORD:
            continue
        yield _record(begun, field, encoding)
        begun = []
    if begun:
        yield _record(begun, field, encoding)


def _single(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        yield from one_by_one(line) if line.lines > 1 else (line,)


def _size(lines: list[Line]) -> int:
    return lines[-1].end - lines[0].offset


def _record(lines: list[Line], field: re.Pattern[str], encoding: str) -> Record:
    first, end = lines[0], lines[-1].end
    if _size(lines) > MAX_RECORD or not all(line.whole for line in lines):
        problem = "line_too_long", f"longer than {MAX_RECORD} bytes"
        return Record(first.offset, end, first.number, [], first.data, problem)
    text = b"\n".join(line.data for line in lines).removesuffix(b"\r")
    raw = list(_fields(text.decode(encoding, "surrogateescape"), field))
    nulls = frozenset(at for at, value in enumerate(raw) if value == NULL)
    fields = ["" if at in nulls else _value(value) for at, value in enumerate(raw)]
    return Record(first.offset, end, first.number, fields, first.data, None, nulls)


def _fields(text: str, field: re.Pattern[str]) -> Iterator[str]:
    at = 0
    while (found := field.match(text, at)) is not None:
        yield found[0]
        if found.end() == len(text):
            return
        at = found.end() + 1


def _value(raw: str) -> str:
    if "\\" not in raw:
        return raw
    text = _WRITTEN.sub(_meant, raw)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _meant(written: re.Match[str]) -> str:
    """A character; a byte beyond ASCII as a surrogate, until the others of its character follow."""
    code = written[1]
    if code[0] in "01234567":
        byte = int(code, 8) & 0xFF
    elif code[0] == "x" and len(code) > 1:
        byte = int(code[1:], 16)
    else:
        return _CHARACTERS.get(code, code)
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)
