"""Decompressed byte streams of inputs, and ranges of them.

Plain files are read from where a range starts. A compressed stream, or one that has to be
transcoded, only moves forward: each thread keeps the one it used last, so reading ranges in order
is linear and a restart skips once.
"""

import gzip
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import zstandard

from nocturna.tasks.corpus.decoding import (
    ZSTD_WINDOW,
    Gzip,
    Readable,
    Transcoded,
    Zstd,
    is_ascii_based,
    is_utf8,
)
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.storage import open_raw, storage_errors
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

BLOCK = 256 * 1024
_LINES = ("jsonl", "csv", "tsv")
_LONE_CR = re.compile(rb"\r(?!\n)")


class _Forward:
    """A stream with its position; it only moves forward."""

    def __init__(self, stream: Readable) -> None:
        self.stream = stream
        self.position = 0

    def read(self, n: int) -> bytes:
        data = self.stream.read(n)
        self.position += len(data)
        return data

    def skip_to(self, offset: int) -> None:
        while self.position < offset and self.read(min(BLOCK, offset - self.position)):
            pass


class _Kept(threading.local):
    key: tuple[InputFile, str] | None = None
    forward: _Forward | None = None


_kept = _Kept()


def stream_encoding(source: Source, item: InputFile) -> str:
    """The encoding of the bytes that `byte_range` yields: the source's own, or utf-8."""
    plain = is_utf8(source.encoding) or _is_transcoded(source, item)
    return "utf-8" if plain else source.encoding


def byte_range(
    source: Source, item: InputFile, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """The decompressed bytes from start to stop (exclusive; None: the end), in blocks.

    Raises:
        UsageError: if the file is gone, cut off or corrupt.
    """
    if item.format == "text":
        yield from _one_line_end(_stored_range(source, item, start, stop))
    elif item.format in _LINES and _ends_with_cr(source, item):
        for block in _stored_range(source, item, start, stop):
            yield block.replace(b"\r", b"\n")
    else:
        yield from _stored_range(source, item, start, stop)


def _stored_range(source: Source, item: InputFile, start: int, stop: int | None) -> Iterator[bytes]:
    if item.compression is None and not _is_transcoded(source, item):
        with open_raw(source, item) as raw:
            raw.seek(start)
            forward = _Forward(raw)
            forward.position = start
            yield from _blocks(forward, item, stop)
        return
    forward = _forward_at(source, item, start)
    yield from _blocks(forward, item, stop)


def _one_line_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """A stream in which a lone carriage return is a line feed, byte for byte."""
    waiting = b""
    for block in blocks:
        data = waiting + block
        waiting = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(waiting)]
        yield _LONE_CR.sub(b"\n", data) if b"\r" in data else data
    if waiting:
        yield b"\n"


@lru_cache
def _ends_with_cr(source: Source, item: InputFile) -> bool:
    """Whether the lines of an input end with a carriage return alone, as on an old Mac."""
    start = _head(source, item, BLOCK, True)
    return b"\r" in start and b"\n" not in start


def head(source: Source, item: InputFile, size: int, transcoded: bool = True) -> bytes:
    """The first decompressed bytes, at most `size`, without moving the thread's kept stream.

    Args:
        transcoded: as `byte_range` yields them; False: as they are stored inside the compression.
    """
    start = _head(source, item, size, transcoded)
    if transcoded and item.format in _LINES and _ends_with_cr(source, item):
        return start.replace(b"\r", b"\n")
    return start


def _head(source: Source, item: InputFile, size: int, transcoded: bool) -> bytes:
    forward = _Forward(_open(source, item, transcoded))
    try:
        found = b""
        with stream_errors(item):
            while len(found) < size and (data := forward.read(size - len(found))):
                found += data
        return found
    finally:
        forward.stream.close()


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
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UsageError(
                f"{item.uri}: corrupt {item.compression} data ({error}); copy the file again"
            ) from None


def _is_transcoded(source: Source, item: InputFile) -> bool:
    if is_utf8(source.encoding):
        return False
    return item.format in ("json", "files") or not is_ascii_based(source.encoding)


def _open(source: Source, item: InputFile, transcoded: bool = True) -> Readable:
    raw = open_raw(source, item)
    stream: Readable = raw
    if item.compression == "gzip" and item.size:
        stream = Gzip(raw)
    elif item.compression == "zstd":
        stream = Zstd(raw)
    if transcoded and _is_transcoded(source, item):
        return Transcoded(stream, source.encoding)
    return stream


def _forward_at(source: Source, item: InputFile, start: int) -> _Forward:
    key = (item, source.encoding)
    forward = _kept.forward
    if forward is None or _kept.key != key or forward.position > start:
        if forward is not None:
            forward.stream.close()
        _kept.forward = None
        forward = _Forward(_open(source, item))
        _kept.key, _kept.forward = key, forward
    with stream_errors(item):
        forward.skip_to(start)
    return forward


def _blocks(forward: _Forward, item: InputFile, stop: int | None) -> Iterator[bytes]:
    unpacked = Unpacked(item)
    while stop is None or forward.position < stop:
        with stream_errors(item):
            data = forward.read(BLOCK if stop is None else min(BLOCK, stop - forward.position))
        if not data:
            return
        unpacked.reached(forward.position)
        yield data
