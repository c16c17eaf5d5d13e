"""Setting aside what cannot be read: moved to `damaged/`, never deleted, with one line a kind."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.stored import shown, why

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bad:
    """Something under a job's folder that cannot be used, and why."""

    path: Path
    reason: str


def set_aside(layout: Layout, kind: str, bad: Sequence[Bad]) -> None:
    """Moves what cannot be used to `damaged/`, under the path that it had; says so in one line.

    What cannot be moved either stays where it is. A link is moved, not followed.

    Args:
        kind: what these are, in the plural: "manifests of earlier runs".
    """
    if not bad:
        return
    moved = [one for one in bad if _moved(layout, one.path)]
    first = bad[0]
    place = "set aside in damaged/" if len(moved) == len(bad) else "left as it is"
    others = f" and {len(bad) - 1:,} other {kind}" if len(bad) > 1 else ""
    _log.warning("%s: %s;%s %s", shown(first.path), first.reason, others, place)


def aside(layout: Layout, path: Path) -> Path | None:
    """Where something of that path was set aside; None if nothing was."""
    place = layout.damaged / path.relative_to(layout.root)
    return place if files.is_there(place) else None


def tell(kind: str, bad: Sequence[Bad]) -> None:
    """Says in one line what cannot be read in full, and is left where it is."""
    if not bad:
        return
    others = f" and {len(bad) - 1:,} other {kind}" if len(bad) > 1 else ""
    _log.warning("%s: %s;%s left as it is", shown(bad[0].path), bad[0].reason, others)


def _moved(layout: Layout, path: Path) -> bool:
    try:
        target = _place(layout, path)
        files.make_folder(target.parent, private=True)
        files.rename(path, target)
        files.fsync(path.parent)
        files.fsync(target.parent)
    except OSError as error:
        _log.debug("%s: %s", path, why(error))
        return False
    return True


def _place(layout: Layout, path: Path) -> Path:
    """Where something goes: never through a link that was itself set aside, nor over another."""
    further = (layout.root / f"{layout.damaged.name}.{number}" for number in count(2))
    for home in chain([layout.damaged], further):
        target = home / path.relative_to(layout.root)
        above = [folder for folder in target.parents if folder.is_relative_to(home)]
        if all(files.is_folder(folder) or not files.is_there(folder) for folder in above):
            break
    numbered = (target.with_name(f"{target.name}.{number}") for number in count(2))
    return next(p for p in chain([target], numbered) if not files.is_there(p))
