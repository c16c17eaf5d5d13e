"""Streams that decompress or transcode another one, and what is known of encodings."""

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import zstandard

from nocturna.tasks.errors import UsageError

_BLOCK = 256 * 1024
_ZSTD_INPUT = 1024  # small, because a few compressed bytes may stand for very many
ZSTD_WINDOW = 1 << 31
"""Bytes that a zstd stream may look back at; packers take no more."""
XZ_MEMORY = 1 << 30
"""Bytes of memory that unpacking an xz stream may take."""

_UNDECODABLE = "\udcff"
_ASCII = bytes(range(128))
_OF_NO_FILE = ("idna", "punycode", "undefined")
"""What Python lists among encodings, and what no file of text is in."""


class Readable(Protocol):
    """What the readers need of a stream: at most n bytes, none at the end, and closing."""

    def read(self, n: int, /) -> bytes: ...

    def close(self) -> None: ...


class Zstd:
    """A zstd stream that, unlike the library's own reader, says when it was cut off."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._ready = io.BytesIO()

    def read(self, n: int, /) -> bytes:
        while not (data := self._ready.read(n)):
            stored = self._raw.read(_ZSTD_INPUT)
            if not stored:
                if self._frame is not None:
                    raise EOFError("the last frame is not complete")
                return b""
            self._ready = io.BytesIO(b"".join(self._decompress(stored)))
        return data

    def close(self) -> None:
        self._raw.close()

    def _decompress(self, stored: bytes) -> Iterator[bytes]:
        while stored:
            frame = (
                self._frame
                or zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
            )
            yield frame.decompress(stored)
            stored = frame.unused_data if frame.eof else b""
            self._frame = None if frame.eof else frame


class CorruptBzip2(Exception):
    """Bytes that are no bzip2."""


class Members:
    """A stream of bzip2 or xz members, one after the other, that says when it was cut off."""

    def __init__(self, raw: BinaryIO, new: Callable[[], Any]) -> None:
        self._raw, self._new = raw, new
        self._member: Any = None
        self._stored = b""

    def read(self, n: int, /) -> bytes:
        while True:
            if self._member is None:
                while not self._stored.strip(b"\0"):  # xz pads its members with zeros
                    self._stored = self._raw.read(_BLOCK)
                    if not self._stored:
                        return b""
                self._stored = self._stored.lstrip(b"\0")
                self._member = self._new()
            if self._member.needs_input:
                self._stored = self._stored or self._raw.read(_BLOCK)
                if not self._stored:
                    raise EOFError("the last member is not complete")
            try:
                data: bytes = self._member.decompress(self._stored, n)
            except (OSError, ValueError) as error:  # what bz2 raises
                raise CorruptBzip2(str(error)) from None
            self._stored = b""
            if self._member.eof:
                self._stored, self._member = self._member.unused_data, None
            if data:
                return data

    def close(self) -> None:
        self._raw.close()


def bzip2(raw: BinaryIO) -> Members:
    """A bzip2 stream."""
    return Members(raw, bz2.BZ2Decompressor)


def xz(raw: BinaryIO) -> Members:
    """An xz stream, or one of the older lzma format."""
    return Members(raw, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY))


class Transcoded:
    """A text stream of any encoding as UTF-8; what cannot be decoded stays invalid in UTF-8."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("mark_undecodable")
        self._ready = io.BytesIO()

    def read(self, n: int, /) -> bytes:
        while not (data := self._ready.read(n)):
            stored = self._stream.read(_BLOCK)
            text = self._decoder.decode(stored, final=not stored)
            if not stored and not text:
                return b""
            self._ready = io.BytesIO(text.encode("utf-8", "surrogatepass"))
        return data

    def close(self) -> None:
        self._stream.close()


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return _UNDECODABLE, error.end
    raise error


codecs.register_error("mark_undecodable", _mark_undecodable)


class Gzip(gzip.GzipFile):
    """A gzip stream that closes the file beneath it too."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()


def is_ascii_based(encoding: str) -> bool:
    """Whether ASCII bytes mean ASCII characters in an encoding, so that lines can be cut in it.

    Raises:
        UsageError: if Python knows no such encoding.
    """
    try:
        if codecs.lookup(encoding).name in _OF_NO_FILE:
            raise LookupError
        return _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except LookupError:
        raise UsageError(
            f"encoding: {encoding!r} is unknown; use a name such as utf-8, latin-1 or utf-16"
        ) from None
    except UnicodeError:
        return False


def needs_mark(encoding: str) -> bool:
    """Whether only a byte order mark tells how an encoding is to be read."""
    return codecs.lookup(encoding).name in ("utf-16", "utf-32")


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8, with or without a byte order mark."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
