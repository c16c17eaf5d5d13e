"""Documents that end the process that scores them: found by halving, and put aside."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.stored import as_record, read_record
from nocturna.tasks.run.runners import Died

T = TypeVar("T")

MOST = 10
"""Documents of a shard that are put aside; where there are more it is not the documents."""

KILLER = "ends_the_process"
WHY_KILLER = "scored by itself, it ended the process that scored it"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Aside:
    positions: tuple[int, ...] = ()


def despite_deaths(
    work: Callable[[], T],
    work_alone: Callable[[], T],
    try_some: Callable[[int, int], object],
    layout: Layout,
    run_id: str,
    shard: int,
    rows: int,
) -> T:
    """Scores a shard, also where a process that does it dies.

    Once is an accident: it may have been the fault of another shard, or of the machine. Where it
    dies again the document that ends it is looked for and put aside, and the others are scored.

    Args:
        work: scores the shard.
        work_alone: the same in a process whose death takes no other work along.
        try_some: scores documents from one position of the shard to another, likewise.
        rows: documents of the shard.

    Raises:
        Died: it is none of the documents by itself.
    """
    try:
        return work()
    except Died:
        pass
    for _ in range(MOST):
        try:
            return work_alone()
        except Died:
            killer = _killer(try_some, 0, rows)
            if killer is None:
                raise
            _log.warning(
                "shard %d: document %d of it ends the process that scores it; it is left out and "
                "counted as failed",
                shard,
                killer,
            )
            _put_aside(layout, run_id, shard, killer)
    return work_alone()


def aside_of(layout: Layout, run_id: str, shard: int) -> list[int]:
    """Positions of the documents of a shard that are put aside."""
    found = read_record(_record(layout, run_id, shard), _Aside)
    return list(found.value.positions) if found and found.value else []


def _put_aside(layout: Layout, run_id: str, shard: int, position: int) -> None:
    aside = _Aside((*aside_of(layout, run_id, shard), position))
    with files.clear_errors(layout.root):
        files.write_whole(_record(layout, run_id, shard), as_record(asdict(aside)))


def _record(layout: Layout, run_id: str, shard: int) -> Path:
    return layout.work(run_id) / "pieces" / f"{shard:05d}.aside.json"


def _killer(try_some: Callable[[int, int], object], start: int, stop: int) -> int | None:
    """One of some documents that ends its process by itself; None if none does.

    Args:
        start, stop: documents that together end it.
    """
    if stop - start == 1:
        return start
    middle = (start + stop) // 2
    for half in ((start, middle), (middle, stop)):
        try:
            try_some(*half)
        except Died:
            return _killer(try_some, *half)
    return None
