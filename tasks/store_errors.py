"""What an object store or its client says went wrong, as one line that says what to do."""

import errno
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from nocturna.tasks.errors import NocturnaError, Transient, UsageError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")
_CALLS = re.compile(r"^ *0: ", re.MULTILINE)
_STATUS = re.compile(r"\b([45]\d\d) [A-Z]")
_PASSING = {"408", "429"}
_NO_CREDENTIALS = ("loading credentials", "token request", "AccessKeyId", "SecretAccessKey")
_NO_HTTP = ("URL scheme is not allowed", "BadScheme")
_NO_ACCOUNT = "Account must be specified"


@contextmanager
def room_for_a_copy(where: str) -> Iterator[None]:
    """Says what to do where the folder of temporary files is too full for a copy.

    Raises:
        NocturnaError: it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NocturnaError(
            f"{where}: no space left in {tempfile.gettempdir()} for a copy of it; free some or "
            "name another folder with TMPDIR"
        ) from None


def explained(where: str, text: str) -> NocturnaError:
    """The error to raise for what the Rust client of stores said, ours and that of tables alike.

    Args:
        where: the address.
        text: what the client said.
    """
    status = _STATUS.search(text)
    code, message = _element(text, "Code"), _element(text, "Message")
    said = text.split("\n\nDebug", maxsplit=1)[0]
    reason = f"{code}: {message}" if code and message else last_line(said)
    if any(words in text for words in _NO_HTTP):
        return UsageError(f"{where}: plain HTTP needs AWS_ALLOW_HTTP=true in the environment")
    if _NO_ACCOUNT in text:
        return UsageError(f"{where}: needs AZURE_STORAGE_ACCOUNT_NAME in the environment")
    if any(words in text for words in _NO_CREDENTIALS):
        reason = f"no credentials that it takes ({reason})"
    elif status is None or status[1] >= "500" or status[1] in _PASSING:
        return Transient(f"{where}: the store does not answer: {reason}")
    return NocturnaError(
        f"{where}: the store refuses: {reason}; check that the bucket exists and that the "
        "environment holds the credentials for it"
    )


def last_line(error: object) -> str:
    """The last line of what was said, without colours and the calls that a program in Rust adds."""
    said = _CALLS.split(_COLOURS.sub("", str(error)))[0]
    lines = [line.strip() for line in said.splitlines()]
    return next((line.rstrip(".") for line in reversed(lines) if line), "no reason given")


def _element(text: str, name: str) -> str | None:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1].strip().rstrip(".") if found else None
