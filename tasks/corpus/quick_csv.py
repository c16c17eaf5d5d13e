"""Usual records of delimited files read many at a time; the others are read one by one.

A record is usual if it has as many fields as the header, is not the header again and has an id.
Both ways read with the `csv` module, the same lines in the same order.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nocturna.tasks.corpus import lines as bounds
from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.copied import NULL
from nocturna.tasks.corpus.delimited import Dialect, Record, iter_records
from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.lines import BOM, iter_lines
from nocturna.tasks.corpus.row_ids import MAX_ID

_MOST = 4 << 20
"""Bytes of a record from which on it is read by itself."""

_MARK = BOM.decode()
_BLANK = 1000
"""Blank lines from which on they are looked at as a whole."""

_FEW, _LONGEST = 256, 8192
"""Usual records that make it worth while to look for more, and the longest stretch of others."""


@dataclass(frozen=True)
class Places:
    """Where the columns of a source are among the fields; None where there is none.

    Attributes:
        nulls: values that are none.
    """

    header: Sequence[str]
    text: int
    id: int | None
    keep: Sequence[int | None]
    nulls: frozenset[str] = frozenset()


def read_delimited(
    blocks: Iterable[bytes],
    dialect: Dialect,
    before: int,
    places: Places,
    rows: Collector,
    exactly: Callable[[Record], None],
) -> None:
    """Hands the records of a stream to a collector; unusual ones go to `exactly`, in their place.

    Args:
        blocks: UTF-8 bytes.
        before: records before the first row, the header among them.
    """
    stream, stretch = _Stream(blocks), 1
    usual = not (dialect.escaped or dialect.copied or dialect.tabs or rows.text or rows.id)
    while stream.fill():
        lines = iter_lines(stream.line_by_line(), stream.offset, stream.number)
        done = 0
        for record in iter_records(lines, dialect, "utf-8"):
            if before:
                before -= 1
            else:
                exactly(record)
                done += 1
            # nothing was read ahead, so that the rest may be read in another way
            if usual and not before and done >= stretch and record.end == stream.offset:
                break
        else:
            return
        found = _read_usual(stream, dialect, places, rows)
        stretch = 1 if found > _FEW else min(2 * stretch, _LONGEST)


class _Stream:
    """A stream of lines, of which some are taken at a time.

    Attributes:
        offset, number: of the next line.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.offset, self.number = 0, 1
        self._blocks = iter(blocks)
        self._data, self._at = b"", 0
        self._ended = False

    def fill(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._data) or self.more()

    def more(self) -> bool:
        """Reads another block; whether there was one."""
        block = b"" if self._ended else next(self._blocks, b"")
        self._ended = self._ended or not block
        if block:
            self._data, self._at = self._data[self._at :] + block, 0
        return bool(block)

    def line_by_line(self) -> Iterator[bytes]:
        """Each line by itself; one over the limit in pieces."""
        while self.fill():
            if self._data[self._at] in b" \t\r\n" and (size := self._blank()):
                yield self.take(size, self._data.count(b"\n", self._at, self._at + size))
                continue
            end = self._data.find(b"\n", self._at) + 1
            if not end and len(self._data) - self._at < _MOST and self.more():
                continue
            yield self.take((end or len(self._data)) - self._at, bool(end))

    def _blank(self) -> int:
        """Bytes of the blank lines that come next, as far as they are there."""
        rest = self._data[self._at :]
        return rest.rfind(b"\n", 0, len(rest) - len(rest.lstrip(b" \t\r\n"))) + 1

    def whole_lines(self) -> bytes:
        """The whole lines that are there."""
        end = len(self._data) if self._ended else self._data.rfind(b"\n") + 1
        return self._data[self._at : end]

    def take(self, size: int, lines: int) -> bytes:
        """Takes so many bytes, in which so many lines end."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        self.offset += size
        self.number += lines
        return taken


def _read_usual(stream: _Stream, dialect: Dialect, places: Places, rows: Collector) -> int:
    """Takes usual records until there is another one, or no more; returns how many."""
    found = 0
    while stream.fill():
        data = stream.whole_lines()
        if not data and len(data) < _MOST and stream.more():
            continue
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return found
        if _MARK in text or len(data) > bounds.MAX_RECORD:
            return found
        lines = [line + "\n" for line in text.split("\n")]
        lines.pop() if text.endswith("\n") else None
        taken, whole = _usual_in(lines, stream.number, dialect, places, rows)
        size = len(data if taken == len(lines) else "".join(lines[:taken]).encode())
        ends = taken if taken < len(lines) or text.endswith("\n") else taken - 1
        stream.take(size, ends)
        found += taken
        if taken < len(lines) and (whole or len(data) - size > _MOST or not stream.more()):
            return found
    return found


def _usual_in(
    lines: list[str], number: int, dialect: Dialect, places: Places, rows: Collector
) -> tuple[int, bool]:
    """Hands the usual records at the beginning of some lines to a collector.

    Returns:
        how many lines that are, and whether the record after them is whole.
    """
    names = {*places.header}
    nulls = NULL not in places.nulls and any(NULL in line for line in lines)
    reader = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_NONE if dialect.literal else csv.QUOTE_MINIMAL,
        strict=True,
    )
    numbers: list[int] = []
    found: list[list[str]] = []
    taken, blank, whole = 0, 0, True
    try:
        for fields in reader:
            if len(fields) < 2 and not lines[taken].strip(" \r\n"):
                blank += 1
                if blank > _BLANK:
                    break
            else:
                if (nulls and NULL in fields) or not _is_usual(fields, places, names):
                    break
                found.append(fields)
                numbers.append(number + taken)
            taken = reader.line_num
    except csv.Error:
        whole = reader.line_num < len(lines)
    if found:
        columns = list(zip(*found, strict=True))
        nothing = [MISSING] * len(found)
        rows.add_many(
            numbers,
            columns[places.id] if places.id is not None else None,
            columns[places.text],
            [nothing if at is None else _given(columns[at], places) for at in places.keep],
            sum(map(len, lines[:taken])),
        )
    return taken, whole


def _given(column: Sequence[str], places: Places) -> Sequence[str | None]:
    """The values of a kept column, those aside that stand for none."""
    if places.nulls.isdisjoint(column):
        return column
    return [None if value in places.nulls else value for value in column]


def _is_usual(fields: list[str], places: Places, names: set[str]) -> bool:
    if len(fields) != len(places.header) or fields[0][:5].strip('"')[:4].lower() == "sep=":
        return False
    text = fields[places.text]
    if text in places.nulls or (places.id is not None and fields[places.id] in places.nulls):
        return False
    if (text in names and {*fields} <= names) or (text and not text.strip("-")):
        return False
    if places.id is None:
        return True
    name = fields[places.id]
    return bool(name.strip()) and len(name) <= MAX_ID
