"""Files of the user's cache folder: what was worked out once and can be worked out again.

A file carries the hash of what it holds. One that is damaged or cannot be read counts as missing,
and one that cannot be written is done without: a cache never stops a run.
"""

import hashlib
import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from nocturna.tasks.settings import cache_folder

logger = logging.getLogger(__name__)

PREPARED = Path(__file__).parents[1] / "data" / "prepared"
"""What the cache would come to hold of the bundled models: `python -m recipes.prepare` makes it."""


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


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
