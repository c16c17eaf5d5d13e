"""What every stream of ours has in common, so that each says only where its bytes come from."""

import io
import os
from typing import IO, Any


class RawStream(io.RawIOBase):
    """A stream of bytes that is read by `read`."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class SeekableStream(RawStream):
    """A stream of known size that is read at any place.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at


class Section(SeekableStream):
    """A part of a file that others read too, with a position of its own.

    Args:
        size: bytes; all of the file if none.
    """

    def __init__(self, file: IO[bytes], start: int = 0, size: int | None = None) -> None:
        super().__init__(os.fstat(file.fileno()).st_size if size is None else size)
        self._file, self._start = file, start

    def read(self, n: int = -1, /) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if n < 0 else min(n, left)
        data = os.pread(self._file.fileno(), wanted, self._start + self._at)
        self._at += len(data)
        return data
