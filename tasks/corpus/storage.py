"""Where inputs are stored: opening them, naming them without secrets, telling them apart."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nocturna.tasks.addresses import is_remote, redact, user_of
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.web import WebFiles, is_web
from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.job.job import Source
from nocturna.tasks.network import network_errors

_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "checksum", "blob_id")
_TIMES = ("LastModified", "last_modified", "updated", "mtime")
_DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
_BLOCK = 1 << 20


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
    try:
        return fsspec.core.url_to_fs(uri)
    except ImportError as error:
        package = _DRIVERS.get(scheme)
        hint = f"pip install {package}" if package else str(error).splitlines()[0]
        raise UsageError(f"{shown}: {scheme}:// needs a driver that is missing: {hint}") from None
    except Exception as error:  # drivers raise whatever they met
        raise UsageError(f"{shown}: cannot use {scheme}://: {error}") from None


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


def open_raw(source: Source, item: InputFile) -> BinaryIO:
    """The stored bytes of an input, seekable.

    Raises:
        UsageError: if it is gone or may not be read.
        Transient: if the store does not answer.
    """
    if not is_remote(item.uri):
        with storage_errors(item.uri):
            return Path(item.uri).open("rb")
    fs, path = filesystem(with_credentials(source, item.uri))
    with storage_errors(item.uri):
        if isinstance(fs, WebFiles):
            return fs.open(path, "rb", item.fingerprint)
        if "memory" in fs.protocol:
            # fsspec hands out one shared file object: two readers would move each other's position
            return io.BytesIO(fs.cat_file(path))
        return fs.open(path, "rb")


def fingerprint(source: Source, uri: str) -> str:
    """What tells the content of a file: its sha256, or for a remote one what the store knows.

    That is a checksum (`etag:`), else the time it was written (`mtime:`), else a sha256 of our own.
    """
    if not is_remote(uri):
        with storage_errors(uri), Path(uri).open("rb") as stream:
            return _sha256(stream)
    fs, path = filesystem(with_credentials(source, uri))
    with storage_errors(uri):
        if isinstance(fs, WebFiles):
            return fs.fingerprint(path)
        return _fingerprint_of(fs, path, fs.info(path))


def _fingerprint_of(fs: Any, path: str, info: dict[str, Any]) -> str:
    lfs = info.get("lfs")
    if lfs:
        return f"etag:{lfs['sha256'] if isinstance(lfs, dict) else lfs.sha256}"
    for key in _ETAGS:
        if info.get(key):
            return f"etag:{str(info[key]).strip(chr(34))}"
    for key in _TIMES:
        if info.get(key):
            return f"mtime:{info[key]}"
    with fs.open(path, "rb") as stream:
        return _sha256(stream)


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turns what a store or the disk raises into one line about `where`."""
    shown = redact(where)
    try:
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
        raise NocturnaError(f"{shown}: the store failed: {_line(error)}") from None


def with_credentials(source: Source, uri: str) -> str:
    """A redacted URI with the user, password and query string of the source's own address."""
    given = source.address
    if redact(given) == uri:
        return given
    user, scheme = user_of(given), given.partition("://")[0] + "://"
    return uri.replace(scheme, scheme + user, 1) if user and uri.startswith(scheme) else uri


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"
