"""Records of CSV and TSV files with their offsets, for planning and for reading alike.

Unless a dialect says otherwise, quoting is that of RFC 4180: a field that starts with a quote ends
at the next single quote, `""` inside it is a quote, and line breaks inside it belong to it. Where a
quoted field does not end as it should, only the line that opened it is rejected and reading goes on
with the next line, so that one stray quote never swallows what follows.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from nocturna.tasks.corpus.input_files import MAX_RECORD
from nocturna.tasks.corpus.lines import Line, iter_lines, one_by_one

DELIMITERS = {"csv": ",", "tsv": "\t"}
_MOST_PIECES = 1_000_000
"""Most lines that a record may have, a run of blank ones inside it counted as one."""
_INSIDE = re.compile(r'\\["\\]|""|"')
_LONE = "new-line character seen in unquoted field"
"""What the csv module says of a carriage return that no line feed follows."""
_FIELD_LIMIT = 131_072  # the csv module's own default

if csv.field_size_limit() == _FIELD_LIMIT:
    # one limit for the whole process, there is no other way to set it
    csv.field_size_limit(MAX_RECORD)


class Record(NamedTuple):
    """One record of a delimited file.

    Attributes:
        offset, end: where it starts and where the next one does, in bytes of the stream.
        number: of its first line.
        fields: its values; bytes that cannot be decoded are in them as lone surrogates. Empty
            where the record is broken.
        raw: its first line.
        problem: reason and message where it is broken, else None.
        nulls: positions of the values that are none, which are empty.
    """

    offset: int
    end: int
    number: int
    fields: list[str]
    raw: bytes
    problem: tuple[str, str] | None
    nulls: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Dialect:
    """How the records of an input are written.

    Attributes:
        delimiter: one character.
        escaped: a quote inside a quoted field stands after a backslash, which itself is doubled.
        literal: quotation marks are text.
        copied: written as `copied` has it.
        tabs: of a row, where a line with as many is never inside a quoted field; 0 where it may be.
    """

    delimiter: str
    escaped: bool = False
    literal: bool = False
    copied: bool = False
    tabs: int = 0


class _Unreadable(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def iter_records(lines: Iterable[Line], dialect: Dialect, encoding: str) -> Iterator[Record]:
    """The records of a csv or tsv stream; blank lines between records are none."""
    if dialect.copied:
        from nocturna.tasks.corpus.copied import iter_copied

        yield from iter_copied(lines, dialect.delimiter, encoding)
        return
    feed = _Feed(lines, encoding, dialect)
    reader = csv.reader(
        feed,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_NONE if dialect.literal else csv.QUOTE_MINIMAL,
        strict=True,
    )
    while True:
        feed.first = None
        problem, fields = None, []
        try:
            fields = next(reader)
        except StopIteration:
            return
        except _Unreadable as error:
            problem = (error.reason, str(error))
        except csv.Error as error:
            if _LONE in str(error) and feed.split():
                continue
            problem = ("invalid_csv", f"{error}; is a quote missing or too many?")
        first = feed.first
        assert first is not None
        if problem:
            feed.give_back()
        yield Record(first.offset, feed.end, first.number, fields, first.data, problem)


def is_row_of_tabs(line: bytes, tabs: int) -> bool:
    """Whether a line has so many tabs, with something between them besides quotation marks."""
    return line.count(b"\t") == tabs and all(part.strip(b' \r"') for part in line.split(b"\t"))


class Escapes:
    """Writes quotes that stand after a backslash inside quoted fields as doubled ones."""

    def __init__(self, delimiter: str) -> None:
        self._opening = re.compile(rf'(?:^|(?<={re.escape(delimiter)}))"')
        self.begin()

    def begin(self) -> None:
        """A record begins."""
        self._inside = False

    def doubled(self, line: str) -> str:
        """The next line of a record as RFC 4180 has it."""
        out: list[str] = []
        at = 0
        while at < len(line):
            found = (_INSIDE if self._inside else self._opening).search(line, at)
            if found is None:
                break
            out.append(line[at : found.start()])
            at = found.end()
            if self._inside and len(found[0]) == 2:
                out.append('""' if found[0][1] == '"' else "\\")
            else:
                out.append('"')
                self._inside = not self._inside
        return "".join(out) + line[at:]


def _lone_returns(dialect: Dialect) -> re.Pattern[str]:
    """Finds quoted fields as a whole, and carriage returns that end a row outside of them."""
    lone = r"\r(?!\n)"
    if dialect.literal:
        return re.compile(lone)
    inside = r'(?:[^"\\]|\\.|"")*' if dialect.escaped else r'(?:[^"]|"")*'
    return re.compile(
        rf'(?:^|(?<=[{re.escape(dialect.delimiter)}\r\n]))"{inside}"?|{lone}', re.DOTALL
    )


class _Feed:
    """Hands the csv module decoded lines, and can hand all of a record but its first line again.

    Lines after the first are kept as bytes: a quoted field may hold very many of them.

    Attributes:
        first: the first line of the record; None before it.
        end: where the record ends as far as it was handed out.
        next: number of the line after that.
    """

    def __init__(self, lines: Iterable[Line], encoding: str, dialect: Dialect) -> None:
        self.first: Line | None = None
        self.end = self.next = 0
        self._sources = [iter(lines)]
        self._encoding = encoding
        self._more = bytearray()
        self._pieces = 0
        self._too_long: Line | None = None
        self._escapes = Escapes(dialect.delimiter) if dialect.escaped else None
        self._tabs = dialect.tabs
        self._outside = _lone_returns(dialect)

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._take()
        if self.first is None:
            while not line.data.strip(b" \r\n"):
                line = self._take()
            if line.lines > 1:
                self._sources.append(one_by_one(line))
                return next(self)
            self.first, self._pieces, self._too_long = line, 1, None
            self._more.clear()
            if self._escapes:
                self._escapes.begin()
            if not line.whole:
                self.end, self.next = line.end, line.number + 1
                raise _Unreadable("line_too_long", f"longer than {MAX_RECORD} bytes")
        elif (left_out := line.end - line.offset - len(line.data)) > 1:
            self._too_long = line
        else:
            self._more += line.data + b"\n" * left_out
            self._pieces += 1
        self.end, self.next = line.end, line.number + line.lines
        if line is not self.first and self._tabs and is_row_of_tabs(line.data, self._tabs):
            raise _Unreadable(
                "invalid_csv",
                "a quotation mark at its start would take in the next row; if it is text, set "
                "--quotes literal",
            )
        if self.end - self.first.offset > MAX_RECORD or self._pieces > _MOST_PIECES:
            raise _Unreadable("invalid_csv", "a quoted field does not end; is a quote missing?")
        text = line.data.decode(self._encoding, "surrogateescape") + "\n"
        return self._escapes.doubled(text) if self._escapes else text

    def give_back(self) -> None:
        """Hands out every line of the record but its first one again."""
        assert self.first is not None
        if self._too_long is not None:
            self._sources.append(iter([self._too_long]))
        self.end, self.next = self.first.end, self.first.number + 1
        if self._more:
            self._sources.append(iter_lines([bytes(self._more)], self.end, self.next))

    def split(self) -> bool:
        """Hands the record out again, with rows that ended with a carriage return alone as lines.

        Files of an old Mac that were joined with others, or edited, have such rows.

        Returns:
            whether there was one.
        """
        assert self.first is not None
        text = (self.first.data + b"\n" + self._more).decode(self._encoding, "surrogateescape")
        found = self._outside.sub(lambda match: "\n" if match[0] == "\r" else match[0], text)
        if found == text or self._too_long is not None:
            return False
        data = found.encode(self._encoding, "surrogateescape")
        self._sources.append(iter_lines([data], self.first.offset, self.first.number))
        return True

    def _take(self) -> Line:
        while True:
            try:
                return next(self._sources[-1])
            except StopIteration:
                if len(self._sources) == 1:
                    raise
                self._sources.pop()
