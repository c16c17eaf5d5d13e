"""Up to when a job's nights were dealt with, kept across restarts in the job's folder."""

import json
from datetime import UTC, datetime

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout

_NAME = ".clock.json"


def read_stamp(layout: Layout) -> datetime | None:
    """Up to when an earlier clock ran, refused or gave up the job's nights; None if unknown."""
    try:
        known = json.loads((layout.root / _NAME).read_text(encoding="utf-8"))
        return datetime.fromisoformat(known["dealt_with"]).astimezone(UTC)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_stamp(layout: Layout, until: datetime) -> None:
    """Remembers up to when the job's nights were dealt with.

    Raises:
        OSError: it cannot be written.
    """
    said = json.dumps({"dealt_with": until.isoformat(timespec="seconds")})
    files.write_whole(layout.root / _NAME, said.encode())
