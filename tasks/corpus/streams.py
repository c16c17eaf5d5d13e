"""Decompressed byte streams of inputs, from their beginning to their end."""

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import zstandard

from nocturna.tasks.corpus.decoding import (
    XZ_MEMORY,
    ZSTD_WINDOW,
    CorruptBzip2,
    Gzip,
    Readable,
    Transcoded,
    Zstd,
    bzip2,
    is_ascii_based,
    is_utf8,
    xz,
)
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.storage import open_raw, storage_errors
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.storage import Digest

BLOCK = 256 * 1024
_LONE_CR = re.compile(rb"\r(?!\n)")


def stream_encoding(source: Source, whole: bool = False) -> str:
    """The encoding of the bytes that `blocks` yields: the source's own, or utf-8."""
    plain = is_utf8(source.encoding) or _is_transcoded(source, whole)
    return "utf-8" if plain else source.encoding


def blocks(
    source: Source, item: InputFile, digest: "Digest | None" = None, whole: bool = False
) -> Iterator[bytes]:
    """The decompressed bytes of an input, in blocks.

    Args:
        digest: gets every stored byte, also what follows the end of what is packed in it.
        whole: whether the input is one text, of which no line can be decoded by itself: it comes
            as UTF-8, what cannot be decoded stays invalid in it.

    Raises:
        UsageError: if the file is gone, cut off or corrupt, or unpacks to more than a limit.
    """
    raw = open_raw(source, item, digest)
    stream = _decoded(source, item, raw, whole)
    unpacked, position = Unpacked(item), 0
    try:
        while True:
            with stream_errors(item):
                data = stream.read(BLOCK)
                if not data:
                    while digest is not None and raw.read(BLOCK):
                        pass
                    return
            position += len(data)
            unpacked.reached(position)
            yield data
    finally:
        stream.close()


def line_blocks(source: Source, item: InputFile, digest: "Digest | None" = None) -> Iterator[bytes]:
    """As `blocks`, of a format whose rows are lines: where they end with a carriage return alone,
    as on an old Mac, that is a line feed.
    """
    found = blocks(source, item, digest)
    first = next(found, b"")
    lone = b"\r" in first and b"\n" not in first
    for block in chain([first], found):
        yield block.replace(b"\r", b"\n") if lone else block


def one_line_end(found: Iterable[bytes]) -> Iterator[bytes]:
    """A stream in which a lone carriage return is a line feed, byte for byte."""
    waiting = b""
    for block in found:
        data = waiting + block
        waiting = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(waiting)]
        yield _LONE_CR.sub(b"\n", data) if b"\r" in data else data
    if waiting:
        yield b"\n"


def head(source: Source, item: InputFile, size: int, whole: bool = False) -> bytes:
    """The first decompressed bytes, at most `size`, as `blocks` yields them."""
    return _first(item, _decoded(source, item, open_raw(source, item), whole), size)


def line_head(source: Source, item: InputFile, size: int) -> bytes:
    """The first bytes, at most `size`, as `line_blocks` yields them."""
    start = head(source, item, max(size, BLOCK))
    first = start[:BLOCK]
    lone = b"\r" in first and b"\n" not in first
    return (start.replace(b"\r", b"\n") if lone else start)[:size]


def stored_head(source: Source, item: InputFile, size: int) -> bytes:
    """The first bytes, at most `size`, decompressed and in the encoding that they are stored in."""
    return _first(item, _unpacked(item, open_raw(source, item)), size)


def _first(item: InputFile, stream: Readable, size: int) -> bytes:
    try:
        found = b""
        with stream_errors(item):
            while len(found) < size and (data := stream.read(size - len(found))):
                found += data
        return found
    finally:
        stream.close()


@contextmanager
def stream_errors(item: InputFile) -> Iterator[None]:
    """Turns what a decompressor raises into one line about the input."""
    with storage_errors(item.uri):
        try:
            yield
        except EOFError:
            raise UsageError(
                f"{item.uri}: the {item.compression} stream ends too early, the file was cut off; "
                "copy it again"
            ) from None
        except zstandard.ZstdError as error:
            if "ictionary" in str(error):
                raise UsageError(
                    f"{item.uri}: packed with a zstd dictionary, which is not read; pack it again "
                    "without"
                ) from None
            if not re.search("memory|window", str(error)):
                raise UsageError(
                    f"{item.uri}: corrupt zstd data ({error}); copy the file again"
                ) from None
            raise UsageError(
                f"{item.uri}: its zstd window is larger than {ZSTD_WINDOW >> 20:,} MiB, the limit; "
                "pack it again with zstd --long=31 or less"
            ) from None
        except lzma.LZMAError as error:
            if "limit" in str(error).lower():
                raise UsageError(
                    f"{item.uri}: unpacking it takes more than {XZ_MEMORY >> 20:,} MiB of memory, "
                    "the limit; pack it again with xz -9 or less"
                ) from None
            raise UsageError(
                f"{item.uri}: corrupt xz data ({error}); copy the file again"
            ) from None
        except (gzip.BadGzipFile, zlib.error, CorruptBzip2) as error:
            raise UsageError(
                f"{item.uri}: corrupt {item.compression} data ({error}); copy the file again"
            ) from None


def _is_transcoded(source: Source, whole: bool) -> bool:
    if is_utf8(source.encoding):
        return False
    return whole or not is_ascii_based(source.encoding)


def _decoded(source: Source, item: InputFile, raw: Any, whole: bool) -> Readable:
    stream = _unpacked(item, raw)
    return Transcoded(stream, source.encoding) if _is_transcoded(source, whole) else stream


def _unpacked(item: InputFile, raw: Any) -> Readable:
    if not item.size or item.compression is None:
        stream: Readable = raw
        return stream
    return _UNPACKERS[item.compression](raw)


_UNPACKERS: dict[str, Callable[[Any], Readable]] = {
    "gzip": Gzip,
    "zstd": Zstd,
    "bzip2": bzip2,
    "xz": xz,
}
