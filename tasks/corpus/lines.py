"""Lines with their offsets, and what makes a line unreadable."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.corpus.records import MAX_RECORD, RAW_BYTES

BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of a byte stream.

    Attributes:
        offset, end: where it starts and where the next one does, in bytes of the stream.
        number: from 1.
        data: its bytes without the line feed; of a line over MAX_RECORD only the first ones.
        whole: False for a line over MAX_RECORD.
    """

    offset: int
    end: int
    number: int
    data: bytes
    whole: bool


def iter_lines(blocks: Iterable[bytes], offset: int = 0, number: int = 1) -> Iterator[Line]:
    """The lines of a stream, blank ones too; only a line feed ends a line.

    Args:
        blocks: the bytes, from a line's start on.
        offset: of the first byte; a byte order mark at offset 0 is not part of the data.
        number: of the first line.
    """
    pending: list[bytes] = []
    held = size = 0
    for block in blocks:
        pieces = block.split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            if pending:
                size += len(piece)
                data = b"".join([*pending, piece])
                pending, held = [], 0
            else:
                size, data = len(piece), piece
            yield _line(offset, offset + size + 1, number, data, size)
            offset += size + 1
            number += 1
            size = 0
        if rest:
            size += len(rest)
            if size <= MAX_RECORD:
                pending.append(rest)
                held += len(rest)
            elif held != RAW_BYTES:
                pending = [b"".join([*pending, rest])[:RAW_BYTES]]
                held = len(pending[0])
    if size:
        yield _line(offset, offset + size, number, b"".join(pending), size)


def _line(offset: int, end: int, number: int, data: bytes, size: int) -> Line:
    if offset == 0:
        data = data.removeprefix(BOM)
    whole = size <= MAX_RECORD
    return Line(offset, end, number, data if whole else data[:RAW_BYTES], whole)


def is_blank(line: Line) -> bool:
    """Whether a line only separates rows: it is empty or ASCII white space."""
    return not line.data or line.data.isspace()


def too_long(line: Line) -> tuple[str, str]:
    """Reason and message of the reject that a line over MAX_RECORD becomes."""
    return "line_too_long", (
        f"line {line.number}: {line.end - line.offset:,} bytes, more than {MAX_RECORD:,}"
    )


def not_decoded(line: Line, error: UnicodeDecodeError, encoding: str) -> tuple[str, str]:
    """Reason and message of the reject that an undecodable line becomes."""
    byte = line.offset + error.start
    return "encoding", f"line {line.number}, byte {byte}: not valid {encoding}; set `encoding`"
