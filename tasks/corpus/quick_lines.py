"""The usual lines of a stream, many at a time; the unusual ones are left to `iter_lines`."""

from collections.abc import Iterable, Iterator
from itertools import chain

from nocturna.tasks.corpus import lines
from nocturna.tasks.corpus.lines import BOM, Line, iter_lines

_MOST = 4 << 20
"""Bytes of a line from which on the rest of the stream is read line by line."""


_LEAST = 8
"""Bytes that usual lines have on average; shorter ones may be blank, and very many."""


def line_groups(blocks: Iterable[bytes]) -> Iterator[tuple[int, int, bytes] | Iterator[Line]]:
    """A stream as stretches of whole lines.

    Returns:
        offset, number of the first line, and bytes that end with a line feed: with no byte order
        mark, no blank stretch and no very long line in them; or the lines of a stretch that has.
    """
    offset, number, rest = 0, 1, b""
    source = iter(blocks)
    for block in source:
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) > _MOST:
                yield iter_lines(chain([rest], source), offset, number)
                return
            continue
        data = rest + block[:end] if rest else block[:end]
        rest = block[end:]
        count = data.count(b"\n")
        odd = BOM in data or b"\n\n" in data or data[0] in b"\r\n" or count * _LEAST > len(data)
        if odd or len(data) > lines.MAX_RECORD:
            yield iter_lines([data], offset, number)
        else:
            yield offset, number, data
        offset += len(data)
        number += count
    if rest:
        yield iter_lines([rest], offset, number)
