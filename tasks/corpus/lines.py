"""Lines with their offsets, and what makes a line unreadable."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nocturna.tasks.corpus.input_files import MAX_RECORD, RAW_BYTES

BOM = b"\xef\xbb\xbf"
_SPACES = frozenset(b" \t\n\r\v\f")
_WHITE = re.compile(rb"[ \t\n\r\v\f]*")
_SHORT = 4096


class Line(NamedTuple):
    """One line of a byte stream, or a run of blank ones.

    Attributes:
        offset, end: where it starts and where the next one does, in bytes of the stream.
        number: from 1; of a run, that of its first line.
        data: its bytes without the last line feed; of a line over MAX_RECORD only the first ones.
        whole: False for a line over MAX_RECORD that is not blank.
        lines: how many lines it is.
    """

    offset: int
    end: int
    number: int
    data: bytes
    whole: bool
    lines: int = 1


def iter_lines(blocks: Iterable[bytes], offset: int = 0, number: int = 1) -> Iterator[Line]:
    """The lines of a stream; blank ones come as runs, whole or in pieces.

    Only a line feed ends a line. A run costs as much as a search for its end, however many lines
    it is.

    Args:
        blocks: the bytes, from a line's start on.
        offset: of the first byte. A byte order mark at the start of a line is not part of it.
        number: of the first line.
    """
    begun = _Begun()
    for block in blocks:
        at = 0
        while at < len(block):
            if not begun.size and block[at] in _SPACES:
                after = block.rfind(b"\n", at, _end_of_white(block, at)) + 1
                if after:
                    run = block[at : after - 1]
                    lines = run.count(b"\n") + 1
                    yield Line(offset, offset + after - at, number, run, True, lines)
                    offset, number, at = offset + after - at, number + lines, after
                    continue
            feed = block.find(b"\n", at)
            if feed < 0:
                begun.add(block[at:])
                break
            if begun.size:
                begun.add(block[at:feed])
                line, begun = begun.line(offset, number, 1), _Begun()
            else:
                line = _line(offset, offset + feed + 1 - at, number, block[at:feed])
            yield line
            offset, number, at = line.end, number + 1, feed + 1
    if begun.size:
        yield begun.line(offset, number, 0)


def _end_of_white(block: bytes, at: int) -> int:
    """Where the white space that starts at a position ends."""
    white = _WHITE.match(block, at, at + _SHORT)
    end = white.end() if white else at
    # stripping copies what it strips, but takes a fifth of the time
    return end if end < at + _SHORT else len(block) - len(block[end:].lstrip())


class _Begun:
    """A line that goes on in the next block; of one over MAX_RECORD only the first bytes stay."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._white = True

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= MAX_RECORD:
            self._pieces.append(piece)
            return
        held = b"".join(self._pieces)
        self._white = self._white and all(not p or p.isspace() for p in (held, piece))
        self._pieces = [(held + piece[:RAW_BYTES])[:RAW_BYTES]]

    def line(self, offset: int, number: int, feed: int) -> Line:
        """The line, now that its end is known, with or without a line feed."""
        end = offset + self.size + feed
        if self.size > MAX_RECORD and self._white:
            return Line(offset, end, number, b"", True)
        return _line(offset, end, number, b"".join(self._pieces), self.size)


def _line(offset: int, end: int, number: int, data: bytes, size: int | None = None) -> Line:
    while data.startswith(BOM):  # also within a file: others were joined with it
        data = data[len(BOM) :]
    whole = (len(data) if size is None else size) <= MAX_RECORD
    return Line(offset, end, number, data if whole else data[:RAW_BYTES], whole)


def is_blank(line: Line) -> bool:
    """Whether a line only separates rows: it is empty or ASCII white space."""
    return line.whole and (not line.data or line.data.isspace())


def one_by_one(run: Line) -> Iterator[Line]:
    """The lines of a run of blank lines."""
    offset = run.offset
    for number, data in enumerate(run.data.split(b"\n"), run.number):
        end = offset + len(data) + 1
        yield Line(offset, end, number, data, True)
        offset = end


def too_long(line: Line) -> tuple[str, str]:
    """Reason and message of the reject that a line over MAX_RECORD becomes."""
    return "line_too_long", (
        f"line {line.number}: {line.end - line.offset:,} bytes, more than {MAX_RECORD:,}"
    )


def not_decoded(line: Line, error: UnicodeDecodeError, encoding: str) -> tuple[str, str]:
    """Reason and message of the reject that an undecodable line becomes."""
    byte = line.offset + error.start
    return "encoding", f"line {line.number}, byte {byte}: not valid {encoding}; set `encoding`"
