"""Usual JSON lines read at once; a line that is unusual in any way is left to the exact reader.

A line is usual if it is an object with each named key once, whose text is a text and whose id and
kept values are texts, numbers, booleans or null.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.jsonrows import Number
from nocturna.tasks.corpus.lines import Line
from nocturna.tasks.corpus.quick_lines import line_groups
from nocturna.tasks.corpus.row_ids import MAX_ID, is_plain
from nocturna.tasks.job.source import Source

_SPACED = re.compile(rb'"\s+:')
_NUMBER = b"-0123456789"
_WORDS = {b"null": None, b"true": True, b"false": False}


_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NotUsual(Exception):
    """A line that the exact reader has to read."""


Row = tuple[str | None, str, list[Any]]
"""Id, text and kept values."""


@lru_cache(maxsize=8)
def _usual_reader(source: Source, has_id: bool, every: bool) -> Callable[[bytes], Row] | None:
    """What reads the usual lines of a source; None if its columns are none that a line may have.

    The reader raises NotUsual.
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
    everywhere = [f"f{at}" for at in range(len(names))]
    decode = msgspec.json.Decoder(row_type, strict=True).decode
    places = [f"f{names.index(name)}" for name in source.keep]
    id_at = f"f{names.index(source.id)}" if has_id and source.id else None

    def read(line: bytes) -> Row:
        if b'" ' in line and _SPACED.search(line):
            raise NotUsual
        try:
            row: Any = decode(line)
        except _UNUSUAL:
            raise NotUsual from None
        met = 0
        for place in everywhere:
            met += getattr(row, place) is not msgspec.UNSET
        colons = line.count(b'":')
        if met != colons and (every or _keys_in(line) != colons):
            raise NotUsual  # perhaps a key twice, or one to keep
        text = row.f0
        if text is msgspec.UNSET:
            raise NotUsual
        name = None
        if id_at is not None:
            name = _value(getattr(row, id_at))
            if type(name) is Number and not is_plain(name):
                raise NotUsual
            if not isinstance(name, str) or not 0 < len(name) <= MAX_ID or not name.strip():
                raise NotUsual
            name = str(name)
        return name, text, [_value(getattr(row, place)) for place in places]

    return read


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
            _read_group(*group, rows, exactly)
        else:
            for line in group:
                exactly(line)
    return True


def _reader_for(rows: Collector) -> Callable[[bytes], Row]:
    """What reads the usual lines with the columns that are kept by now."""
    return _usual_reader(rows.reading, rows.has_id, rows.every) or _none_is_usual


def _none_is_usual(line: bytes) -> Row:
    raise NotUsual


def _read_group(
    offset: int,
    number: int,
    data: bytes,
    rows: Collector,
    exactly: Callable[[Line], None],
) -> None:
    numbers: list[int] = []
    found: list[Row] = []
    start, usual = offset, _reader_for(rows)

    def hand_over() -> None:
        nonlocal numbers, found, start
        if found:
            ids, texts, kept = zip(*found, strict=True)
            rows.add_many(
                numbers,
                ids if rows.has_id else None,
                texts,
                list(zip(*kept, strict=True)),
                offset - start,
            )
            numbers, found = [], []

    for line in data[:-1].split(b"\n"):
        try:
            row = usual(line)
        except NotUsual:
            hand_over()
            exactly(Line(offset, offset + len(line) + 1, number, line, True))
            start, usual = offset + len(line) + 1, _reader_for(rows)
        else:
            found.append(row)
            numbers.append(number)
        offset += len(line) + 1
        number += 1
    hand_over()
