"""What earlier nights left on the disk, read as far as it can be: one reader for every record.

A record is a JSON object with a `format`. It may be cut short, emptied, of another version, a
folder, a link or not allowed to be read; none of that is a reason to stop. Fields that are not
known are passed over, fields that are missing or of another type get what the caller knows in
their place, or their default.
"""

import errno
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from nocturna.tasks.results.shard_records import to_json

FORMAT = 2
"""Version of the files under a job's folder. A file of a newer one is never rewritten or moved."""

T = TypeVar("T")

_NOT_THERE = (FileNotFoundError, NotADirectoryError)
_WHY = {
    errno.ELOOP: "is a link",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
}


@dataclass(frozen=True)
class Stored(Generic[T]):
    """What could be read of a record.

    Attributes:
        value: the record; None if nothing of it could be read.
        problem: what could not be read, in words; None if all of it could.
        newer: the file says of itself that it is of a newer format.
    """

    value: T | None = None
    problem: str | None = None
    newer: bool = False


def read_values(path: Path) -> Stored[dict[str, Any]] | None:
    """A record as plain values, without its `format`; None if there is no file."""
    try:
        return parsed(read_regular(path))
    except _NOT_THERE:
        return None
    except OSError as error:
        return Stored(problem=why(error))


def parsed(content: bytes) -> Stored[dict[str, Any]]:
    """The content of a record as plain values, without its `format`."""
    try:
        values = json.loads(content)
        if b"\\ud" in content.lower():  # half a surrogate pair can be neither printed nor written
            to_json(values)
    except (ValueError, RecursionError):
        return Stored(problem="is not whole JSON")
    if not isinstance(values, dict):
        return Stored(problem="is not a record of Nocturna")
    version = values.pop("format", FORMAT)
    return Stored(values, newer=isinstance(version, int) and version > FORMAT)


def read_record(
    path: Path, kind: type[T], known: Mapping[str, Any] | None = None
) -> Stored[T] | None:
    """A record of a kind; None if there is no file.

    Args:
        kind: a dataclass.
        known: fields that follow from where the file is, used where it lacks them or has them of
            another type.
    """
    found = read_values(path)
    return None if found is None else made_of(kind, found, known)


def made_of(
    kind: type[T], found: Stored[dict[str, Any]], known: Mapping[str, Any] | None = None
) -> Stored[T]:
    """The record of a kind that plain values stand for; see `read_record`."""
    if found.value is None:
        return Stored(None, found.problem, found.newer)
    known = known or {}
    adapter = _adapter(kind)  # type: ignore[arg-type]
    values = {**known, **found.value}
    try:
        return Stored(adapter.validate_python(values), newer=found.newer)
    except ValidationError as error:
        wrong = dict.fromkeys(str(e["loc"][0]) for e in error.errors() if e["loc"])
    problem = f"{', '.join(wrong)} cannot be read"
    rest = {k: v for k, v in values.items() if k not in wrong}
    rest |= {k: v for k, v in known.items() if k in wrong}
    try:
        return Stored(adapter.validate_python(rest), problem, found.newer)
    except ValidationError:
        return Stored(None, problem, found.newer)


def read_regular(path: Path) -> bytes:
    """The content of a file that is a file: no link is followed, nothing is waited for.

    Raises:
        OSError: it cannot be read, or is a link, a folder or a device.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as content:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is not a file", str(path))
        return content.read()


def why(error: OSError) -> str:
    """Why something cannot be read, in words."""
    return _WHY.get(error.errno or 0) or (error.strerror or str(error)).lower()


def as_record(values: dict[str, Any]) -> bytes:
    """A record as the file that `read_values` reads."""
    return to_json({"format": FORMAT, **values})


def shown(path: Path) -> str:
    """A path as it can be printed, also where its name is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
