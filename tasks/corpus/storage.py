"""Where inputs are stored: opening them, naming them without secrets, telling them apart."""

import hashlib
import io
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from nocturna.tasks.addresses import is_remote, member_of, redact, user_of
from nocturna.tasks.corpus.fetched import fetched_file
from nocturna.tasks.corpus.heads_first import HeadFirst
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.raw_streams import RawStream
from nocturna.tasks.corpus.store_drivers import STORES, read_by_client
from nocturna.tasks.corpus.web import WebFiles, is_web
from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.job.source import Source
from nocturna.tasks.network import network_errors
from nocturna.tasks.store_errors import explained, room_for_a_copy

_ETAGS = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "checksum", "blob_id")
_TIMES = ("LastModified", "last_modified", "updated", "mtime")
_BLOCK = 1 << 20
_FINE, _COARSE = 50_000_000, 2_000_000_000
"""Nanoseconds that two writes may share a time stamp, where those have fractions and where not."""


def filesystem(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a URI and the path inside it.

    Raises:
        UsageError: if the scheme is unknown or its driver is not installed.
    """
    if is_web(uri):
        return WebFiles(), uri
    import fsspec

    shown = redact(uri)
    scheme = uri.split("://", maxsplit=1)[0]
    if read_by_client(scheme) and shown != uri:
        raise UsageError(
            f"{shown}: the credentials of a store come from the environment, not from its address; "
            "take them out"
        )
    try:
        return fsspec.core.url_to_fs(uri)
    except ImportError as error:
        said = str(error).splitlines()[0]
        hint = "pip install 'nocturna[stores]'" if scheme in STORES else said
        raise UsageError(f"{shown}: {scheme}:// needs a driver that is missing: {hint}") from None
    except Exception as error:  # drivers raise whatever they met
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{shown}: cannot use {scheme}://: {said}") from None


def forget_listings(address: str, to_read: bool) -> None:
    """Makes the next look at a store ask it again, rather than what it said before.

    Args:
        to_read: whether what was looked at is going to be read next.
    """
    fs, path = filesystem(address)
    if isinstance(fs, WebFiles):
        fs.forget(path, to_read)
    else:
        fs.invalidate_cache()


class Digest:
    """The sha256 of stored bytes that are read once, in order, and how many they are."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        self.size += len(data)

    @property
    def fingerprint(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


class _Watched(RawStream):
    """A stream whose bytes a digest sees as they are read."""

    def __init__(self, raw: BinaryIO, digest: Digest) -> None:
        self._raw, self._digest = raw, digest

    def read(self, n: int = -1, /) -> bytes:
        data = self._raw.read(n)
        self._digest.update(data)
        return data

    def close(self) -> None:
        self._raw.close()
        super().close()


def open_raw(source: Source, item: InputFile, digest: Digest | None = None) -> Any:
    """The stored bytes of an input; seekable unless a digest watches them.

    Raises:
        UsageError: if it is gone or may not be read.
        Transient: if the store does not answer.
    """
    raw = _opened(source, item)
    return raw if digest is None else _Watched(raw, digest)


def local_path(source: Source, item: InputFile) -> str:
    """Where an input is on this machine: its own path, or that of a copy, which is temporary.

    Raises:
        UsageError: if it is gone or may not be read.
        Transient: if the store does not answer.
    """
    if not is_remote(item.uri) and member_of(item.uri) is None:
        return item.uri
    return str(_copy_of(source, item, state_of(item.uri)).name)


@lru_cache(maxsize=2)
def _copy_of(source: Source, item: InputFile, state: object) -> Any:
    """A temporary copy of an input, until two others are asked for."""
    copy = tempfile.NamedTemporaryFile()  # noqa: SIM115
    with storage_errors(item.uri), open_raw(source, item) as stream:
        while data := stream.read(_BLOCK):
            copy.write(data)
    copy.flush()
    return copy


def _opened(source: Source, item: InputFile) -> Any:
    if member_of(item.uri):
        from nocturna.tasks.corpus.opened_archives import open_member

        with storage_errors(item.uri):
            return open_member(source, item)
    if not is_remote(item.uri):
        with storage_errors(item.uri):
            return Path(item.uri).open("rb")
    if here := fetched_file(item.uri):
        with storage_errors(item.uri):
            return here.open("rb")
    fs, path = filesystem(with_credentials(source, item.uri))
    with storage_errors(item.uri):
        if isinstance(fs, WebFiles):
            return fs.open(path, "rb", item.fingerprint)
        if "memory" in fs.protocol:
            # fsspec hands out one shared file object: two readers would move each other's position
            return io.BytesIO(fs.cat_file(path))
        return HeadFirst(fs, path, item)


def mark_of(source: Source, uri: str, info: dict[str, Any] | None = None) -> str:
    """What tells that a file is the one it was, without reading it; empty if nothing does.

    A local file has its size, times and number; one that was written just now has none, because
    the next change might have the same time. A remote one has what its store knows: a checksum
    (`etag:`), else the time it was written (`mtime:`).

    Args:
        info: what the store has just said of it; `mark` in it is that.
    """
    if info is not None and "mark" in info:
        return str(info["mark"])
    if (member := member_of(uri)) is not None:
        mark = mark_of(source, member[2])
        return f"{mark}/{member[1]}" if mark else ""
    if not is_remote(uri):
        with storage_errors(uri):
            found = Path(uri).stat()
        latest = max(found.st_mtime_ns, found.st_ctime_ns)
        step = _COARSE if latest % 1_000_000_000 == 0 else _FINE
        if time.time_ns() - latest < step:
            return ""
        return f"stat:{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_ino}"
    fs, path = filesystem(with_credentials(source, uri))
    with storage_errors(uri):
        if isinstance(fs, WebFiles):
            return fs.fingerprint(path)
        if info is None:
            fs.invalidate_cache(path)
            info = fs.info(path)
    return _mark_in(info)


def _mark_in(info: dict[str, Any]) -> str:
    lfs = info.get("lfs")
    if lfs:
        return f"etag:{lfs['sha256'] if isinstance(lfs, dict) else lfs.sha256}"
    for key in _ETAGS:
        if info.get(key):
            return f"etag:{str(info[key]).strip(chr(34))}"
    for key in _TIMES:
        if info.get(key):
            return f"mtime:{info[key]}"
    return ""


def state_of(uri: str) -> tuple[int, ...]:
    """What changes of a local file when it is written; nothing is known of a remote one."""
    if (member := member_of(uri)) is not None:
        return state_of(member[2])
    if is_remote(uri):
        return ()
    with storage_errors(uri):
        found = Path(uri).stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def size_of(source: Source, uri: str) -> int:
    """The stored bytes of a file that is no member of an archive."""
    with storage_errors(uri):
        if not is_remote(uri):
            return Path(uri).stat().st_size
        fs, path = filesystem(with_credentials(source, uri))
        if isinstance(fs, WebFiles):  # whose `info` fetches the file anew
            with fs.open(path) as stream:
                return stream.seek(0, io.SEEK_END)
        return int(fs.info(path).get("size") or 0)


def sha256_of_input(source: Source, item: InputFile) -> str:
    """The sha256 of the stored bytes of an input."""
    digest = Digest()
    with storage_errors(item.uri), open_raw(source, item, digest) as stream:
        while stream.read(_BLOCK):
            pass
    return digest.fingerprint


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turns what a store or the disk raises into one line about `where`."""
    shown = redact(where)
    try:
        with room_for_a_copy(shown):
            yield
    except NocturnaError:
        raise
    except FileNotFoundError:
        raise UsageError(f"{shown}: not found; check the path") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{shown}: cannot be read: {reason}") from None
    except (TimeoutError, ConnectionError) as error:
        raise Transient(f"{shown}: the store does not answer: {type(error).__name__}") from None
    except network_errors() as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        if is_remote(where):
            raise Transient(f"{shown}: the store failed: {reason}") from None
        raise UsageError(f"{shown}: cannot be read: {reason}") from None
    except Exception as error:
        # a driver's own error may hold the address and would be written down as it is
        if not is_remote(where):
            raise
        if type(error).__module__.startswith("obstore"):
            raise explained(shown, str(error)) from None
        raise NocturnaError(f"{shown}: the store failed: {_line(error)}") from None


def with_credentials(source: Source, uri: str) -> str:
    """A redacted URI with the user, password and query string of the address of the source
    that holds it."""
    archives = [member[2] for member in map(member_of, source.addresses) if member]
    shown = {redact(given): given for given in (*source.addresses, *archives)}
    if uri in shown:
        return shown[uri]
    holds = [path for path in shown if uri.startswith(re.split(r"[*?\[]", path)[0])]
    given = shown[max(holds, key=len, default=next(iter(shown), ""))] if shown else ""
    user, scheme = user_of(given), given.partition("://")[0] + "://"
    return uri.replace(scheme, scheme + user, 1) if user and uri.startswith(scheme) else uri


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
