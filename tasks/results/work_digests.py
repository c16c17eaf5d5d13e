"""What a plan stands on in its run's work folder, and whether that is still what was written."""

import re

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.parts import sha256_of

_FOLDERS = ("shards", "difference")
_NAME = re.compile(r"[a-z]+(-[0-9]+)?\.parquet")


def digests_of(layout: Layout, run_id: str) -> dict[str, str]:
    """SHA-256 of every shard and of the difference, by its path in the work folder."""
    work = layout.work(run_id)
    found = [path for name in _FOLDERS for path in files.listed(work / name)]
    ours = [path for path in found if _NAME.fullmatch(path.name) and files.is_file(path)]
    return {str(path.relative_to(work)): sha256_of(path) for path in ours}


def is_whole_work(layout: Layout, run_id: str, digests: dict[str, str]) -> bool:
    """Whether a run that stopped can go on with what it had written."""
    try:
        return bool(digests) and digests_of(layout, run_id) == digests
    except OSError:
        return False
