"""What Git leaves in the place of a file that it was not asked to fetch."""

import re

START = 64
"""Bytes at a file's beginning that tell."""

_UPWARDS = re.compile(rb"\A(\.\./)+")
_POINTERS = (
    (b"version https://git-lfs", "Git LFS pointer", "git lfs pull"),
    (b"/annex/objects/", "git-annex pointer", "git annex get"),
    (b".git/annex/objects/", "git-annex pointer", "git annex get"),
)


def pointer_of(start: bytes) -> tuple[str, str] | None:
    """What a file with this beginning is and what fetches the other; None if it is no pointer."""
    below = _UPWARDS.sub(b"", start)
    return next(((what, way) for mark, what, way in _POINTERS if below.startswith(mark)), None)
