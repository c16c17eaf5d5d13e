"""Converted models that nobody has used for long, in the cache that all jobs of a user share."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.results import files

_MADE = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class KeptModel:
    """A converted model; `bytes` on the disk."""

    path: Path
    bytes: int


def unused_models(cache: Path, days: float, now: datetime | None = None) -> list[KeptModel]:
    """The converted models of a cache that were made and last used so many days ago."""
    now = now or datetime.now(UTC)
    found = []
    for folder in files.listed(cache / "openvino"):
        if not _MADE.fullmatch(folder.name) or not files.is_folder(folder):
            continue
        stats = [path.lstat() for path in files.listed(folder)]
        used = max((max(s.st_atime, s.st_mtime) for s in stats), default=folder.stat().st_mtime)
        if now - datetime.fromtimestamp(used, UTC) >= timedelta(days=days):
            found.append(KeptModel(folder, sum(s.st_size for s in stats)))
    return found


def remove_models(models: list[KeptModel]) -> None:
    """Takes converted models away; a night that needs one again converts it again."""
    for model in models:
        files.remove_folder(model.path)
