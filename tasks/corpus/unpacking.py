"""How much an input may unpack to, so that a small file does not take a night or the memory."""

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.errors import UsageError

TIMES = 250
"""Most bytes of rows that a stored byte may stand for; texts of people reach some 20."""

_MIB = 1 << 20
FREE_ROWS = 256 * _MIB
"""Bytes of rows that any input may have, however small it is stored."""

FREE_ALL = 4096 * _MIB
"""Bytes that any input may unpack to, those between its rows included."""

LEAST_ROW = 64
"""Bytes that a row counts for at least, because it takes time however short it is."""


class Unpacked:
    """Counts what an input unpacks to. A file that is not compressed is what it is.

    Args:
        inside: whether the format has a compression of its own inside.
    """

    def __init__(self, item: InputFile, inside: bool = False) -> None:
        self._item = item
        self._stored = item.size if item.stored is None else item.stored
        self._bounded = inside or item.compression is not None or item.stored is not None
        self._rows = 0

    def add(self, size: int) -> None:
        """Counts so many bytes of rows.

        Raises:
            UsageError: they are too many for what is stored.
        """
        self._rows += size
        self._check(self._rows, FREE_ROWS, "rows of ")

    def reached(self, position: int) -> None:
        """Says how far into the unpacked stream its reader is.

        Raises:
            UsageError: that is too far for what is stored.
        """
        self._check(position, FREE_ALL, "")

    def _check(self, size: int, free: int, what: str) -> None:
        if self._bounded and size > max(free, TIMES * self._stored):
            item = self._item
            raise UsageError(
                f"{item.uri}: its {self._stored:,} bytes unpack to {what}more than "
                f"{free // _MIB:,} MiB and {TIMES} times as much, which is a limit; if that is "
                f"right, store it {'in smaller files' if item.compression is None else 'plain'}"
            )
