"""The user's cache folder: what was worked out once and can be worked out again.

A file carries the hash of what it holds, a folder that of each of its files. One that is damaged or
cannot be read counts as missing, and one that cannot be written is done without: a cache never
stops a run.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nocturna.tasks.settings import cache_folder

logger = logging.getLogger(__name__)

PREPARED = Path(__file__).parents[1] / "data" / "prepared"
"""What the cache would come to hold of the bundled models: `python -m recipes.prepare` makes it."""

ABOUT = "about.json"
"""What a kept folder says of its files."""


def cached_at(kind: str, decisive: Any) -> Path:
    """Where something of a kind is kept.

    Args:
        kind: name of a folder in the cache.
        decisive: JSON values of all that decides the content.
    """
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
    return cache_folder() / kind / hashlib.sha256(text.encode()).hexdigest()[:24]


def read_cached(path: Path) -> bytes | None:
    """What is kept at a path, or comes with Nocturna; None if it is nowhere, or nowhere whole."""
    data = _whole(path)
    if data is None:
        return _whole(PREPARED / path.parent.name / path.name)
    note_use(path)
    return data


def _whole(path: Path) -> bytes | None:
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return data if digest.decode("ascii", "replace") == _digest(data) else None


def note_use(path: Path) -> None:
    """Notes that something kept was used now: what is not used for long leaves the cache."""
    with suppress(OSError):
        os.utime(path)


def keep_cached(path: Path, data: bytes) -> None:
    """Keeps data at a path, whole or not at all, also where several processes do it at once."""
    building: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".building-", delete=False) as out:
            building = Path(out.name)
            out.write(_digest(data).encode() + b"\n" + data)
        building.replace(path)
    except OSError as error:
        logger.info("%s: not kept: %s", path, error)
        if building is not None:
            with suppress(OSError):
                building.unlink()


def holds_whole(folder: Path) -> bool:
    """Whether a folder is there with all that was kept in it; one that is damaged is removed."""
    if not folder.is_dir():
        return False
    try:
        if json.loads((folder / ABOUT).read_text(encoding="utf-8"))["sha256"] == _digests(folder):
            note_use(folder)
            return True
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.info("%s: %s", folder, error)
    remove_kept(folder)
    return False


@contextmanager
def keeping(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """A new folder, in which files are written that are kept in a folder if all goes well.

    Args:
        about: what is told of them, beside their hashes.

    Raises:
        OSError: it cannot be written.
    """
    with _building(folder) as building:
        yield building
        about = about | {"sha256": _digests(building)}
        (building / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise


def remove_kept(folder: Path) -> None:
    """Takes a damaged folder away in one step, so that no other process finds a part of it."""
    logger.info("%s: what is kept here is damaged; it is made anew", folder)
    with suppress(OSError), _building(folder) as aside:
        folder.rename(aside / folder.name)


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A new folder beside the one that it becomes, removed if it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(set(folder.iterdir()) - {folder / ABOUT}):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
