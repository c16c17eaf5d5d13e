"""An object store as a place of results: conditional puts, and its errors in one line.

One client for S3, Google Cloud Storage and Azure, with the credentials of the environment; that of
Delta tables is the same underneath.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.store_errors import explained

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

_PIECE = 8 << 20
"""Bytes that are fetched or put in one request, so that a slow line can do it in time."""

_CLOCK = "clock"
_CLOUDS = ("AWS_", "GOOGLE_", "AZURE_")
_YES = ("true", "1")
_CLIENT = ("obstore", "pyo3_runtime")
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}

Version = dict[str, str]
"""What a store calls the state of an object: its ETag, and in some its generation."""


@dataclass(frozen=True)
class Listed:
    """An object as a listing has it.

    Attributes:
        etag: changes whenever it is written.
        written: when it was, by the store's own clock.
    """

    size: int
    etag: str
    written: datetime


@dataclass(frozen=True)
class ObjectStore:
    """What lies under an address, such as `s3://cubo/out/prensa`; names are relative to it.

    Every function raises `NocturnaError` in one line, `Transient` where the store does not answer.
    """

    uri: str

    @property
    def _client(self) -> "Client":
        return _opened(self.uri)

    def listed(self, prefix: str = "") -> dict[str, Listed]:
        """The objects whose names begin with a folder's."""
        import obstore

        with _one_line(self.uri):
            return {
                found["path"]: Listed(found["size"], found["e_tag"] or "", found["last_modified"])
                for some in obstore.list(self._client, prefix or None)
                for found in some
            }

    def get(self, name: str) -> tuple[bytes, Version, datetime] | None:
        """An object, its version and when it was written; None if there is none."""
        import obstore

        with _one_line(self.uri):
            try:
                found = obstore.get(self._client, name)
            except FileNotFoundError:
                return None
            meta = found.meta
            return bytes(found.bytes()), _version(meta), meta["last_modified"]

    def put(self, name: str, data: bytes) -> str:
        """Puts an object, in place of what is there; returns its ETag."""
        import obstore

        with _one_line(self.uri):
            return obstore.put(self._client, name, data)["e_tag"] or ""

    def put_new(self, name: str, data: bytes) -> Version | None:
        """Puts an object only if there is none of that name; None if there is one.

        That may be this very one: an attempt whose answer was lost is made again.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with _one_line(self.uri):
            try:
                return _version(obstore.put(self._client, name, data, mode="create"))
            except AlreadyExistsError:
                return None

    def put_over(self, name: str, data: bytes, version: Version) -> Version | None:
        """Puts an object only if it still is of that version; None if it is not."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with _one_line(self.uri):
            try:
                known: Any = version
                return _version(obstore.put(self._client, name, data, mode=known))
            except (PreconditionError, AlreadyExistsError, FileNotFoundError):
                return None

    def put_file(self, name: str, path: Path) -> None:
        """Puts a file, a large one in pieces; it has its name once all of it has arrived."""
        import obstore

        with _one_line(self.uri):
            obstore.put(self._client, name, path, chunk_size=_PIECE, max_concurrency=4)

    def get_file(self, name: str, size: int, path: Path) -> bool:
        """Fetches an object into a file that is there; False if there is no such object.

        Args:
            size: bytes that it should have; of one that is shorter, what there is.
        """
        import obstore

        with _one_line(self.uri), path.open("wb") as file:
            try:
                for start in range(0, size, _PIECE):
                    length = min(_PIECE, size - start)
                    file.write(obstore.get_range(self._client, name, start=start, length=length))
            except FileNotFoundError:
                return False
        return True

    def delete(self, names: Iterable[str]) -> None:
        """Deletes objects; one that is gone already is fine."""
        import obstore

        with _one_line(self.uri):
            for name in names:
                with suppress(FileNotFoundError):
                    obstore.delete(self._client, name)

    def now(self) -> datetime:
        """The present by the store's own clock, so that no two machines need to agree on theirs."""
        import obstore

        self.put(_CLOCK, b"")
        with _one_line(self.uri):
            return obstore.head(self._client, _CLOCK)["last_modified"]

    def folders(self) -> list[str]:
        """The names of what looks like folders right under the address."""
        import obstore

        with _one_line(self.uri):
            found = obstore.list_with_delimiter(self._client)["common_prefixes"]
        return sorted(name.rstrip("/") for name in found)


def check_client() -> None:
    """Refuses a store where its client is not installed."""
    if find_spec("obstore") is None:
        raise UsageError("output.dir: a store needs obstore: pip install 'nocturna[stores]'")


def _version(found: Any) -> Version:
    return {key: found[key] for key in ("e_tag", "version") if found.get(key)}


@lru_cache(maxsize=8)
def _client_of(uri: str, said: tuple[tuple[str, str], ...]) -> "Client":
    """A client of an address, while the environment says the same of stores."""
    from obstore.store import from_url

    plain = any(name.endswith("_ALLOW_HTTP") and value.lower() in _YES for name, value in said)
    options: Any = {"timeout": "60s", "connect_timeout": "10s", "allow_http": plain}
    with _one_line(uri):
        return from_url(uri, client_options=options, retry_config=_RETRIES)


def _opened(uri: str) -> "Client":
    check_client()
    said = sorted(item for item in os.environ.items() if item[0].startswith(_CLOUDS))
    return _client_of(uri, tuple(said))


@contextmanager
def _one_line(uri: str) -> Iterator[None]:
    try:
        yield
    except NocturnaError:
        raise
    except BaseException as error:  # of a credential that makes no sense it panics, which is none
        ours = type(error).__module__.partition(".")[0] in _CLIENT
        if not ours and not isinstance(error, FileNotFoundError):
            raise
        if type(error).__name__ == "PanicException":
            raise UsageError(
                f"{uri}: what the environment says of it has no sense: {error}"
            ) from None
        raise explained(uri, str(error)) from None
