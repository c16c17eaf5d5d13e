"""What nobody has used for long in the cache that all jobs of a user share.

Converted models, facts about networks and tokenizers, deviations: all of it can be worked out
again. What was paid for, such as summaries, is kept elsewhere and for good.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nocturna.tasks.results import files

_MADE = re.compile(r"[0-9a-f]{24}|\.building-.*")
"""Names that `cached_at` gives, of finished things and of those that a killed run left."""


@dataclass(frozen=True)
class Unused:
    """A file or folder of the cache; `bytes` on the disk."""

    kind: str
    path: Path
    bytes: int


def unused(cache: Path, days: float, now: datetime | None = None) -> list[Unused]:
    """What of a cache was made and last used so many days ago."""
    now = now or datetime.now(UTC)
    found = []
    for path in (path for kind in files.listed(cache) for path in files.listed(kind)):
        if not _MADE.fullmatch(path.name) or path.is_symlink():
            continue
        stats = [one.lstat() for one in (path, *files.listed(path))]
        used = datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC)
        if now - used >= timedelta(days=days):
            found.append(Unused(path.parent.name, path, sum(stat.st_size for stat in stats)))
    return found


def remove_unused(found: list[Unused]) -> None:
    """Takes it away; a night that needs it again works it out again."""
    for item in found:
        if files.is_folder(item.path):
            files.remove_folder(item.path)
        else:
            files.unlink(item.path)
