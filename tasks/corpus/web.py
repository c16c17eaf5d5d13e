"""Files behind http:// and https://, fetched whole, once, into a temporary file without a name.

What was fetched is what is read: a signed address may hold for minutes only, and few servers give
parts of a file.
"""

import errno
import hashlib
import io
import logging
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from nocturna.tasks.addresses import redact, without_secrets
from nocturna.tasks.corpus.raw_streams import Section
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.store_errors import room_for_a_copy

SECONDS = 60.0
"""How long a server may say nothing."""

FRESH_SECONDS = 60.0
"""How long a file that was looked at may be read without fetching it again."""

_FORBIDDEN = (401, 403, 407)
_GONE = (404, 410)
_PASSING = (408, 425, 429)


def is_web(address: str) -> bool:
    """Whether an address is one of http or https."""
    return address.lower().startswith(("http://", "https://"))


class WebFiles:
    """What is read of a file system, for one file behind an address: user and signature included.

    Each method raises:
        UsageError: the server has no such file, or does not give it.
        Transient: the server has trouble; httpx.TransportError where the network has.
    """

    protocol = ("http", "https")

    def info(self, address: str) -> dict[str, Any]:
        """Fetches the file anew and says how large it is; FileNotFoundError where there is none."""
        shown = redact(address)
        found, since = _looked_at.pop(shown, (None, 0.0))
        if found and found.address == address and time.monotonic() - since < FRESH_SECONDS:
            _copies[shown] = found
        else:
            found = _fetch(address)
        return {"name": shown, "type": "file", "size": found.size}

    def forget(self, address: str, to_read: bool) -> None:
        """Lets go of a file that was only looked at.

        Args:
            to_read: whether it is going to be read next: it is then not fetched a second time.
        """
        found = _copies.pop(redact(address), None)
        if found and to_read:
            _looked_at[redact(address)] = found, time.monotonic()

    def open(self, address: str, mode: str = "rb", fingerprint: str = "") -> BinaryIO:
        """The file as it was fetched last; anew where that is not what a fingerprint says."""
        found = _last(address)
        if found is None or fingerprint not in ("", found.fingerprint):
            found = _fetch(address)
        return io.BufferedReader(Section(found.file))

    def fingerprint(self, address: str) -> str:
        """The sha256 of the file as it was fetched last."""
        return (_last(address) or _fetch(address)).fingerprint

    def cat_file(self, address: str, start: int, end: int) -> bytes:
        """Some of its bytes."""
        with self.open(address) as stream:
            stream.seek(start)
            return stream.read(end - start)

    def glob(self, path: str, detail: bool = True) -> dict[str, Any]:
        """None: a server does not list its files."""
        return {}

    find = glob


@dataclass(frozen=True)
class _Copy:
    address: str
    file: IO[bytes]
    size: int
    fingerprint: str


_copies: dict[str, _Copy] = {}
"""The last one of each shown address: yesterday's signature leaves nothing behind."""
_looked_at: dict[str, tuple[_Copy, float]] = {}
_fetching = threading.Lock()


def _last(address: str) -> _Copy | None:
    found = _copies.get(redact(address))
    return found if found is not None and found.address == address else None


def _fetch(address: str) -> _Copy:
    import httpx

    _quieten()
    shown = redact(address)
    try:
        with (
            _fetching,
            httpx.stream(
                "GET",
                address,
                headers={"Accept-Encoding": "identity"},
                follow_redirects=True,
                timeout=SECONDS,
            ) as answer,
        ):
            _refuse(shown, answer.status_code, answer.reason_phrase)
            _copies[shown] = copy = _stored(answer.iter_raw(), address)
            return copy
    except httpx.InvalidURL as error:
        raise UsageError(f"{shown}: not an address: {error}") from None
    except httpx.TooManyRedirects:
        raise UsageError(f"{shown}: the server sends from one address to the next") from None


def _stored(blocks: Iterable[bytes], address: str) -> _Copy:
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  open as long as it is read
    size, digest = 0, hashlib.sha256()
    for block in blocks:
        with room_for_a_copy(redact(address)):
            file.write(block)
        digest.update(block)
        size += len(block)
    return _Copy(address, file, size, f"sha256:{digest.hexdigest()}")


def _refuse(shown: str, status: int, said: str) -> None:
    answer = f"HTTP {status} {said}".strip()
    if status in _GONE:
        raise FileNotFoundError(errno.ENOENT, answer)
    if status in _FORBIDDEN:
        raise UsageError(
            f"{shown}: cannot be read: {answer}; its user, password or signature does not hold "
            "(any longer)"
        )
    if status in _PASSING or status >= 500:
        raise Transient(f"{shown}: the server has trouble: {answer}")
    if status != 200:
        raise UsageError(f"{shown}: cannot be read: {answer}")


def _quieten() -> None:
    """Keeps the client, which logs each address and header as it is, from logging secrets."""
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_hide)


def _hide(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_secrets(record.getMessage()), ()
    return True
