"""The bytes of files inside of zip and tar archives.

A tar that is compressed, or that comes from a store, is unpacked once into a temporary file without
a name; so is a file in a zip, where its format is read here and there.
"""

import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import IO, Any

from nocturna.tasks.addresses import is_remote, member_of
from nocturna.tasks.corpus.file_names import packed_as
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.raw_streams import RawStream, Section
from nocturna.tasks.corpus.storage import mark_of, open_raw, size_of, state_of, storage_errors
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_CORRUPT = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError, OSError),
)
_BLOCK = 1 << 20
_HEADER = 512


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        size: bytes of it.
        stored: bytes that it takes in the archive, where that packs its members.
        refused: why it cannot be read, if so.
        place: what its archive knows it by.
    """

    name: str
    size: int
    stored: int | None
    refused: str
    place: Any


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes:
        members: its files, by name.
        odd: entries that are no regular files, such as links.
        replaced: files that later ones of their name replace.
    """

    members: dict[str, Member]
    odd: int
    replaced: int


def open_member(source: Source, item: InputFile) -> Any:
    """The bytes of a member; seekable where its format needs that.

    Raises:
        UsageError: it is gone or corrupt.
    """
    kind, name, archive = member_of(item.uri) or ("", "", "")
    opened = opened_archive(source, kind, archive, state_of_archive(source, archive))
    member = opened.contents.members.get(name)
    if member is None:
        raise UsageError(f"{item.uri}: not found in the archive; check the path")
    with _clear_errors(item.uri):
        if isinstance(opened, _Tar):
            return io.BufferedReader(Section(opened.file, *member.place))
        stream = _Stream(item.uri, opened.zip.open(member.place))
    if formats()[item.format].PACKED:
        return stream
    return io.BufferedReader(Section(_spooled(source, item, state_of_archive(source, archive))))


def let_go() -> None:
    """Frees what is kept of archives that were read: open files and temporary copies."""
    opened_archive.cache_clear()
    _spooled.cache_clear()


@lru_cache(maxsize=2)
def _spooled(source: Source, item: InputFile, state: object) -> IO[bytes]:
    """A member of a zip in a temporary file, for formats that are read here and there."""
    kind, name, archive = member_of(item.uri) or ("", "", "")
    opened = opened_archive(source, kind, archive, state)
    copy = tempfile.TemporaryFile()  # noqa: SIM115
    with _clear_errors(item.uri), opened.zip.open(opened.contents.members[name].place) as stream:
        while data := stream.read(_BLOCK):
            copy.write(data)
    copy.flush()
    return copy


@dataclass(frozen=True, eq=False)
class _Zip:
    contents: Contents
    zip: zipfile.ZipFile


@dataclass(frozen=True, eq=False)
class _Tar:
    contents: Contents
    file: IO[bytes]


def state_of_archive(source: Source, archive: str) -> object:
    """What changes of an archive when it is written."""
    return mark_of(source, archive) if is_remote(archive) else state_of(archive)


@lru_cache(maxsize=10_000)
def contents_of(source: Source, kind: str, archive: str, state: object) -> Contents:
    """What an archive holds.

    Args:
        state: as `state_of_archive` gives it.

    Raises:
        UsageError: it is corrupt, or would unpack to too much.
    """
    return opened_archive(source, kind, archive, state).contents


@lru_cache(maxsize=4)
def opened_archive(source: Source, kind: str, archive: str, state: object) -> Any:
    mark = str(state) if is_remote(archive) else ""
    item = InputFile(archive, kind, None, size_of(source, archive), mark, archive)
    with storage_errors(archive):
        found = _open_zip(source, item) if kind == "zip" else _open_tar(source, item)
    odd = next((name for name in found.contents.members if not _is_name(name)), None)
    if odd is not None:
        raise UsageError(
            f"{archive}: the name {odd!r} in it is not UTF-8, or has '::' in it; unpack it first"
        )
    return found


def _is_name(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "::" not in name


def _open_zip(source: Source, item: InputFile) -> _Zip:
    with _clear_errors(item.uri):
        packed = zipfile.ZipFile(open_raw(source, item))
    files = [one for one in packed.infolist() if not one.is_dir()]
    begins = min((one.header_offset for one in files), default=0)
    if begins > 0 and _begins_as_zip(packed):
        raise UsageError(
            f"{item.uri}: is several zip archives that were joined, of which only the last one "
            "would be read; unpack them"
        )
    listed = [one for one in files if not stat.S_ISLNK(one.external_attr >> 16)]
    Unpacked(item, inside=True).reached(sum(one.file_size for one in listed))
    members = {
        one.filename: Member(one.filename, one.file_size, one.compress_size, _flaw(one), one)
        for one in listed
    }
    return _Zip(Contents(members, len(files) - len(listed), len(listed) - len(members)), packed)


def _begins_as_zip(packed: zipfile.ZipFile) -> bool:
    stream = packed.fp
    assert stream
    stream.seek(0)
    return stream.read(4) == b"PK\x03\x04"


def _flaw(one: zipfile.ZipInfo) -> str:
    if one.flag_bits & 1:
        return "is encrypted"
    if one.compress_type not in _READ:
        return f"is packed by method {one.compress_type} of zip, which is not read"
    return ""


def _open_tar(source: Source, item: InputFile) -> _Tar:
    with open_raw(source, item) as raw:
        compression = packed_as(raw.read(_HEADER))
    packed = replace(item, compression=compression)
    if compression is None and not is_remote(item.uri):
        file: IO[bytes] = open(item.uri, "rb")  # noqa: SIM115, PTH123
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115
        plainly = source.model_copy(update={"encoding": "utf-8"})
        for data in blocks(plainly, packed):
            file.write(data)
        file.flush()
        file.seek(0)
    size = os.fstat(file.fileno()).st_size
    with _clear_errors(item.uri), tarfile.open(fileobj=file, mode="r:") as tar:
        files = [one for one in tar.getmembers() if not one.isdir()]
        listed = [one for one in files if one.isreg()]
        _check_end(item.uri, file, tar.offset, listed[-1:], size)
    members = {}
    for one in listed:
        stored = None if compression is None else one.size * item.size // max(1, size)
        flaw = "is a sparse file, which is not read" if one.issparse() else ""
        members[one.name] = Member(one.name, one.size, stored, flaw, (one.offset_data, one.size))
    return _Tar(Contents(members, len(files) - len(listed), len(listed) - len(members)), file)


def _check_end(uri: str, file: IO[bytes], end: int, last: list[tarfile.TarInfo], size: int) -> None:
    """Refuses an archive of which something may have been missed.

    Raises:
        UsageError: it is cut off, or holds more behind what is taken for its end.
    """
    if any(end > size if o.issparse() else o.offset_data + o.size > size for o in last):
        raise UsageError(f"{uri}: the archive was cut off; copy it again")
    file.seek(end)
    while data := file.read(_BLOCK):
        if data.strip(b"\0"):
            raise UsageError(
                f"{uri}: the archive is corrupt, or several that were joined: there is more behind "
                f"byte {end:,}; copy it again, or unpack it first"
            )


class _Stream(RawStream):
    """A member of a zip from its beginning to its end, what is wrong with it said in one line."""

    def __init__(self, uri: str, raw: IO[bytes]) -> None:
        self._uri, self._raw = uri, raw

    def read(self, n: int = -1, /) -> bytes:
        with _clear_errors(self._uri):
            return self._raw.read(n)

    def close(self) -> None:
        self._raw.close()
        super().close()


@contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except (TimeoutError, ConnectionError):
        raise
    except _CORRUPT as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(
            f"{uri}: the archive cannot be read ({reason}); it may be cut off or corrupt: copy it "
            "again, or leave it out with --exclude"
        ) from None
