"""Documents that end the process that scores them: found by halving, and put aside."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.stored import as_record, read_record
from nocturna.tasks.run.runners import Died

T = TypeVar("T")

MOST = 10
"""Documents of a shard that are put aside; where there are more it is not the documents."""
OTHERS = 3
"""Documents that would have to end their process too, for it not to be the one that was found."""

REASONS = {
    "ends_the_process": "scored by itself, it ended the process that scored it",
    "out_of_memory": "scored by itself, it needs more memory than there is",
}
_KILLER, _TOO_LARGE = REASONS
_FATAL = (Died, MemoryError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Aside:
    documents: dict[int, str] = field(default_factory=dict)


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
    dies again the document that ends it is looked for and put aside, and the others are scored. The
    same goes for one that needs more memory than its process may have.

    Args:
        work: scores the shard.
        work_alone: the same in a process whose death takes no other work along.
        try_some: scores documents from one position of the shard to another, likewise.
        rows: documents of the shard.

    Raises:
        Died: it is none of the documents by itself, or too many of them.
        NocturnaError: the same of memory.
    """
    try:
        return work()
    except _FATAL:
        pass
    before = aside_of(layout, run_id, shard)
    most = min(MOST, max(1, rows - 1))
    for found in range(most + 1):
        try:
            return work_alone()
        except _FATAL as error:
            killer = _killer(try_some, 0, rows, error) if found < most else None
            if killer is None or _any_would(try_some, killer[0], rows):
                _write(layout, run_id, shard, before)
                raise _line_of(error) from None
            at, code = killer
            _log.warning(
                "shard %d: document %d of it (%s): %s; it is left out and counted as failed",
                shard,
                at,
                code,
                REASONS[code],
            )
            _write(layout, run_id, shard, aside_of(layout, run_id, shard) | {at: code})
    raise AssertionError


def aside_of(layout: Layout, run_id: str, shard: int) -> dict[int, str]:
    """Positions of the documents of a shard that are put aside, and the code that says why."""
    found = read_record(_record(layout, run_id, shard), _Aside)
    return found.value.documents if found and found.value else {}


def _write(layout: Layout, run_id: str, shard: int, aside: dict[int, str]) -> None:
    with files.clear_errors(layout.root):
        files.write_whole(_record(layout, run_id, shard), as_record(asdict(_Aside(aside))))


def _record(layout: Layout, run_id: str, shard: int) -> Path:
    return layout.work(run_id) / "pieces" / f"{shard:05d}.aside.json"


def _killer(
    try_some: Callable[[int, int], object], start: int, stop: int, error: Exception
) -> tuple[int, str] | None:
    """One of some documents that ends its process by itself, and how; None if none does.

    Args:
        start, stop: documents that together end it.
        error: of which they did.
    """
    if stop - start == 1:
        return start, _TOO_LARGE if isinstance(error, MemoryError) else _KILLER
    middle = (start + stop) // 2
    for half in ((start, middle), (middle, stop)):
        try:
            try_some(*half)
        except _FATAL as again:
            return _killer(try_some, *half, again)
    return None


def _any_would(try_some: Callable[[int, int], object], killer: int, rows: int) -> bool:
    """Whether it is not the document: others of the shard, by themselves, end their process too."""
    others = sorted({0, rows // 2, rows - 1, killer - 1} - {killer, -1})[:OTHERS]
    for other in others:
        with suppress(*_FATAL):
            try_some(other, other + 1)
            return False
    return bool(others)


def _line_of(error: Exception) -> NocturnaError:
    if isinstance(error, NocturnaError):
        return error
    return NocturnaError(
        "out of memory, and no document by itself is the reason; run the same command again with "
        "fewer --workers or a smaller compute.batch_tokens: it goes on where it stopped"
    )
