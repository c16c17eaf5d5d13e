"""Records of CSV and TSV files with their offsets, for planning and for reading alike.

Quoting is that of RFC 4180: a field that starts with a quote ends at the next single quote, `""`
inside it is a quote, and line breaks inside it belong to it. Where a quoted field does not end as
it should, only the line that opened it is rejected and reading goes on with the next line, so that
one stray quote never swallows what follows.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.corpus.lines import Line
from tasks.corpus.records import MAX_RECORD

DELIMITERS = {"csv": ",", "tsv": "\t"}
_FIELD_LIMIT = 131_072  # the csv module's own default

if csv.field_size_limit() == _FIELD_LIMIT:
    # one limit for the whole process, there is no other way to set it
    csv.field_size_limit(MAX_RECORD)


class Record(NamedTuple):
    """One record of a delimited file.

    Attributes:
        offset, end: where it starts and where the next one does, in bytes of the stream.
        number, end_number: number of its first line, and of the line after its last one.
        fields: its values; bytes that cannot be decoded are in them as lone surrogates. Empty
            where the record is broken.
        raw: its first line.
        problem: reason and message where it is broken, else None.
    """

    offset: int
    end: int
    number: int
    end_number: int
    fields: list[str]
    raw: bytes
    problem: tuple[str, str] | None


class _Unreadable(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def iter_records(lines: Iterable[Line], format: str, encoding: str) -> Iterator[Record]:
    """The records of a csv or tsv stream; blank lines between records are none."""
    feed = _Feed(lines, encoding)
    reader = csv.reader(feed, delimiter=DELIMITERS[format], strict=True)
    while True:
        feed.start()
        problem, fields = None, []
        try:
            fields = next(reader)
        except StopIteration:
            return
        except _Unreadable as error:
            problem = (error.reason, str(error))
        except csv.Error as error:
            problem = ("invalid_csv", f"{error}; is a quote missing or too many?")
        if problem:
            feed.keep_first()
        first, last = feed.taken[0], feed.taken[-1]
        yield Record(
            first.offset, last.end, first.number, last.number + 1, fields, first.data, problem
        )


class _Feed:
    """Hands the csv module decoded lines and remembers which ones a record took."""

    def __init__(self, lines: Iterable[Line], encoding: str) -> None:
        self.lines = iter(lines)
        self.encoding = encoding
        self.waiting: deque[Line] = deque()
        self.taken: list[Line] = []
        self.size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        while True:
            line = self.waiting.popleft() if self.waiting else next(self.lines)
            if self.taken or line.data.strip(b" \r"):
                break
        self.taken.append(line)
        self.size += line.end - line.offset
        if not line.whole and len(self.taken) == 1:
            raise _Unreadable("line_too_long", f"longer than {MAX_RECORD} bytes")
        if self.size > MAX_RECORD:
            raise _Unreadable("invalid_csv", "a quoted field does not end; is a quote missing?")
        return line.data.decode(self.encoding, "surrogateescape") + "\n"

    def start(self) -> None:
        """A new record begins."""
        self.taken, self.size = [], 0

    def keep_first(self) -> None:
        """Gives back every line of the record but its first one."""
        self.waiting.extendleft(reversed(self.taken[1:]))
        self.taken = self.taken[:1]
