"""Usual JSON lines read at once; a line that is unusual in any way is left to the exact reader.

A line is usual if it is an object with each named key once, whose text is a text and whose id and
kept values are texts, numbers, booleans or null.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.jsonrows import Number
from nocturna.tasks.corpus.lines import Line
from nocturna.tasks.corpus.quick_lines import line_groups
from nocturna.tasks.corpus.row_ids import MAX_ID
from nocturna.tasks.job.source import Source

_SPACED = re.compile(rb'"\s+:')
_PLAIN = re.compile(rb"(?:0|-?[1-9][0-9]*)(?:,(?:0|-?[1-9][0-9]*))*").fullmatch
_NUMBERS = re.compile(rb"-?[0-9][-+.0-9eE]*(?:,-?[0-9][-+.0-9eE]*)*").fullmatch
_NUMBER = b"-0123456789"
_WORDS = {b"null": None, b"true": True, b"false": False}


_texts = msgspec.json.Decoder(list[str | None]).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NotUsual(Exception):
    """A line that the exact reader has to read."""


Rows = tuple[list[str] | None, Sequence[str], list[list[Any]]]
"""Ids if there are any, texts, and the values of each kept column."""
_Reader = Callable[[list[bytes]], Rows]


@lru_cache(maxsize=8)
def _usual_reader(source: Source, has_id: bool, every: bool) -> _Reader | None:
    """What reads usual lines of a source; None if its columns are none that a line may have.

    The reader raises NotUsual where one of the lines is not usual.
    """
    names = list(dict.fromkeys([source.text, *([source.id or ""] if has_id else []), *source.keep]))
    if not all(name.isascii() and name.isprintable() and "." not in name for name in names):
        return None
    if any(char in name for name in names for char in '"\\'):
        return None
    fields: list[Any] = [
        (
            f"f{at}",
            str if at == 0 else msgspec.Raw,
            msgspec.field(name=name, default=msgspec.UNSET),
        )
        for at, name in enumerate(names)
    ]
    if source.text in (source.id, *source.keep):
        return None
    row_type = msgspec.defstruct("Row", fields, gc=False)
    decode = msgspec.json.Decoder(row_type, strict=True).decode
    places = [names.index(name) for name in source.keep]
    id_at = names.index(source.id) if has_id and source.id else None

    def read(lines: list[bytes]) -> Rows:
        data = b"\n".join(lines)
        if b'" ' in data and _SPACED.search(data):
            raise NotUsual
        try:
            found = [*map(msgspec.structs.astuple, map(decode, lines))]
        except _UNUSUAL:
            raise NotUsual from None
        for values, line in zip(found, lines, strict=True):
            colons = line.count(b'":')
            if len(names) - values.count(msgspec.UNSET) != colons and (
                every or _keys_in(line) != colons
            ):
                raise NotUsual
        columns = [*zip(*found, strict=True)]
        texts = columns[0]
        if msgspec.UNSET in texts:
            raise NotUsual
        ids = None if id_at is None else _ids(columns[id_at])
        return ids, texts, [_values(columns[place]) for place in places]

    return read


def _ids(raw: Sequence[Any]) -> list[str]:
    """The ids of lines, all of them texts or all of them whole numbers; else raises NotUsual."""
    data = _side_by_side(raw)
    found = data.decode().split(",") if _PLAIN(data) else _as_texts(data, len(raw))
    ids = [name for name in found or () if name and name.strip()]
    if len(ids) < len(raw) or max(map(len, ids)) > MAX_ID:
        raise NotUsual
    return ids


def _values(raw: Sequence[Any]) -> list[Any]:
    """The values of a column, many at once where all are numbers, or all are texts or null."""
    data = _side_by_side(raw)
    if _NUMBERS(data):
        return [*map(Number, data.decode().split(","))]
    found = _as_texts(data, len(raw))
    return [*map(_value, raw)] if found is None else found


def _side_by_side(raw: Sequence[Any]) -> bytes:
    """The values with commas between them; nothing where one is missing."""
    return b"" if msgspec.UNSET in raw else b",".join(raw)


def _as_texts(data: bytes, count: int) -> list[str | None] | None:
    """Values that are all texts or null; None where one is not, or may be none."""
    if data[:1] not in (b'"', b"n"):
        return None
    try:
        found = _texts(b"[" + data + b"]")
    except _UNUSUAL:
        return None
    return found if len(found) == count else None


def _keys_in(data: bytes) -> int:
    """How many keys an object has, with those of the objects in it; -1 where that is unknown."""
    try:
        found = _object(data) if data[:1] == b"{" else None
        values = list(_array(data) if found is None else found.values())
        inner = [bytes(value) for value in values]
        return len(found or ()) + sum(_keys_in(one) for one in inner if one[:1] in (b"{", b"["))
    except _UNUSUAL:
        return -1


def _value(raw: Any) -> Any:
    if raw is msgspec.UNSET:
        return MISSING
    data = bytes(raw)
    if data[0] == 34:
        try:
            return data[1:-1].decode() if b"\\" not in data else msgspec.json.decode(data)
        except _UNUSUAL:  # raw values are not looked into before
            raise NotUsual from None
    if data[0] in _NUMBER:
        return Number(data.decode())
    if data in _WORDS:
        return _WORDS[data]
    raise NotUsual


def read_lines(
    source: Source, blocks: Iterable[bytes], rows: Collector, exactly: Callable[[Line], None]
) -> bool:
    """Hands the rows of a stream to a collector; the unusual lines go to `exactly`, in their place.

    Returns:
        False, with nothing read, if the columns are none that a usual line may have.
    """
    if rows.text or rows.id or _usual_reader(source, rows.has_id, rows.every) is None:
        return False
    for group in line_groups(blocks):
        if isinstance(group, tuple):
            offset, number, data = group
            _read(offset, number, data[:-1].split(b"\n"), rows, exactly)
        else:
            for line in group:
                exactly(line)
    return True


def _reader_for(rows: Collector) -> _Reader:
    """What reads the usual lines with the columns that are kept by now."""
    return _usual_reader(rows.reading, rows.has_id, rows.every) or _none_is_usual


def _none_is_usual(lines: list[bytes]) -> Rows:
    raise NotUsual


def _read(
    offset: int, number: int, lines: list[bytes], rows: Collector, exactly: Callable[[Line], None]
) -> None:
    """Reads lines together; where one of them is not usual, each half of them by itself."""
    size = sum(map(len, lines)) + len(lines)
    try:
        ids, texts, columns = _reader_for(rows)(lines)
    except NotUsual:
        if len(lines) == 1:
            exactly(Line(offset, offset + size, number, lines[0], True))
            return
        half = len(lines) // 2
        first = lines[:half]
        _read(offset, number, first, rows, exactly)
        offset += sum(map(len, first)) + half
        _read(offset, number + half, lines[half:], rows, exactly)
    else:
        rows.add_many(range(number, number + len(lines)), ids, texts, columns, size)
