"""Staging: each input of a corpus is read once, into Parquet; all that follows reads only that.

What was staged is kept between nights without the texts: an input that is the same is not read.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path

from nocturna.tasks.addresses import is_remote, member_of
from nocturna.tasks.control import go_on
from nocturna.tasks.cores import usable_cores
from nocturna.tasks.corpus.choosing import list_inputs
from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.composed import reading_of
from nocturna.tasks.corpus.copies import without_copies
from nocturna.tasks.corpus.first_look import check_whole
from nocturna.tasks.corpus.held_lots import Held
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.lot_writer import Known, Writer, put_texts
from nocturna.tasks.corpus.lots import (
    Chunk,
    Lot,
    Member,
    StagedInput,
    cut_lots,
    members,
    name_of,
    noted_types,
    write_lot,
)
from nocturna.tasks.corpus.one_input import read_input
from nocturna.tasks.corpus.opened_archives import let_go
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.source import Source

_AT_ONCE = 8
"""Lots of a remote corpus that are fetched side by side."""
ASIDE_BYTES = 256 << 20
"""Bytes to read from which on other processes are started for that."""

Aside = Callable[..., Lot]
"""Does work in another process: a function of a module with its arguments."""


@dataclass(frozen=True)
class Shelf:
    """Where lots are kept.

    Attributes:
        folder: tonight's lots, private.
        put: gives a folder that was made under another name its own; durable, and whole.
        earlier: other places with lots, which are only looked at.
    """

    folder: Path
    put: Callable[[Path, Path], None]
    earlier: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Staged:
    """A corpus that was read.

    Attributes:
        lots: each with its folder, in corpus order.
        again: stages a lot anew with all of its texts; the lot's number is given.
    """

    source: Source
    lists: tuple[str, ...]
    lots: tuple[tuple[Path, Lot], ...]
    again: Callable[[int], None] = field(compare=False)

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        return tuple(one.item for _, lot in self.lots for one in lot.inputs)

    @property
    def rows(self) -> int:
        return rows_in(self.lots)

    def chunks(self) -> Iterator[tuple[Path, int, Chunk]]:
        """Each chunk: folder and number within its lot."""
        for folder, lot in self.lots:
            for number, chunk in enumerate(lot.chunks):
                yield folder, number, chunk

    def lot_of(self, chunk: int) -> tuple[int, int]:
        """The number of the lot that a chunk is in, and its number there."""
        ends = list(accumulate(len(lot.chunks) for _, lot in self.lots))
        lot = next(number for number, end in enumerate(ends) if chunk < end)
        return lot, chunk - (ends[lot] - len(self.lots[lot][1].chunks))


def stage(
    source: Source,
    shelf: Shelf,
    lists: Sequence[str] = (),
    known: Known | None = None,
    limit: int | None = None,
    aside: Callable[[int], AbstractContextManager[Aside]] | None = None,
) -> Staged:
    """Reads every input of a corpus that is not on the shelf as it is now.

    Args:
        lists: kept columns that hold the labels of each document.
        known: which documents need no text, as far as that is known; without it all need theirs.
        limit: rows after which no further input is read.
        aside: starts so many processes; where there is much to read they read side by side.

    Raises:
        UsageError: there is nothing to read, or an input cannot be read, or a column is missing.
        NocturnaError: an input changed while it was read.
        Transient: a store does not answer.
    """
    listed = without_copies(source, list_inputs(source))
    groups = list(cut_lots(members(source, lists, listed)))
    staging = _Staging(source, tuple(lists), shelf, known)

    def one(group: tuple[Member, ...]) -> tuple[Path, Lot]:
        return staging.lot(group)

    lots: list[tuple[Path, Lot]] = []
    if limit is not None:
        while len(lots) < len(groups) and rows_in(lots) < limit:
            lots.append(one(groups[len(lots)]))
    elif len(groups) > 1 and any(map(is_remote, source.addresses)):
        lots = _side_by_side(_AT_ONCE, staging, groups)
    elif aside and (helpers := staging.worth_helpers(groups)) > 1:
        with aside(helpers) as read:
            lots = _side_by_side(helpers, replace(staging, aside=read), groups)
    else:
        lots = [one(group) for group in groups]

    def again(number: int) -> None:
        staging.texts(groups[number], *lots[number])

    let_go()
    staged = Staged(source, tuple(lists), tuple(lots), again)
    _check(source, staged)
    return staged


def _side_by_side(
    threads: int, staging: "_Staging", groups: Sequence[tuple[Member, ...]]
) -> list[tuple[Path, Lot]]:
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(copy_context().run, staging.lot, group) for group in groups]
        try:
            return [future.result() for future in waiting]
        finally:
            pool.shutdown(cancel_futures=True)


def rows_in(lots: Iterable[tuple[Path, Lot]]) -> int:
    """Rows of some lots, good and bad together."""
    return sum(one.item.rows for _, lot in lots for one in lot.inputs)


def _check(source: Source, staged: Staged) -> None:
    """What only the whole corpus can tell."""
    check_whole(
        reading_of(source), [(one.item, one.lacks) for _, lot in staged.lots for one in lot.inputs]
    )


@dataclass(frozen=True)
class _Staging:
    source: Source
    lists: tuple[str, ...]
    shelf: Shelf
    known: Known | None
    aside: Aside | None = None

    def worth_helpers(self, groups: Sequence[tuple[Member, ...]]) -> int:
        """How many processes there is enough to read for; an archive is opened in one alone."""
        fresh = [group for group in groups if self.is_fresh(group)]
        found = [one.listed[0] for group in fresh for one in group]
        if any(member_of(file.path) for file in found):
            return 1
        size = sum(int(file.info.get("size") or 0) for file in found)
        return min(len(fresh), usable_cores(), size // ASIDE_BYTES + 1)

    def is_fresh(self, group: tuple[Member, ...]) -> bool:
        """Whether nothing of a group was staged before."""
        return not any(self.held.home_of(member.key) for member in group)

    def lot(self, group: tuple[Member, ...]) -> tuple[Path, Lot]:
        """A group as it is on the shelf, or as it is read now."""
        go_on()
        name = name_of(group)
        for home in (self.shelf.folder, *self.shelf.earlier):
            found = self.held.whole(home / name)
            keys = [one.key for one in found.inputs] if found else []
            if found and None not in keys and keys == [member.key for member in group]:
                return home / name, found
        folder = self.shelf.folder / name
        building = folder.with_name(f".{folder.name}.building")
        if self.aside is not None and self.is_fresh(group):
            lot = self.aside(read_lot_of, *self.how, group, building)
        else:
            lot = read_lot_of(*self.how, group, building, self.held)
        self.shelf.put(building, folder)
        return folder, lot

    @property
    def how(self) -> tuple[Source, tuple[str, ...], Known | None]:
        return self.source, self.lists, self.known

    @cached_property
    def held(self) -> Held:
        return Held((self.shelf.folder, *self.shelf.earlier))

    def texts(self, group: tuple[Member, ...], folder: Path, lot: Lot) -> None:
        """Reads a group again, for all the texts of a lot."""
        fresh = folder.with_name(f".{folder.name}.again")
        try:
            again = read_lot_of(*replace(self, known=None).how, group, fresh)
            if not put_texts(fresh, len(again.chunks), folder, len(lot.chunks)):
                names = ", ".join(one.item.uri for one in lot.inputs[:3])
                raise NocturnaError(f"{names}: changed while the run was going on; run again")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def read_lot_of(
    source: Source,
    lists: tuple[str, ...],
    known: Known | None,
    group: tuple[Member, ...],
    folder: Path,
    held: Held | None = None,
) -> Lot:
    """Reads a group into a folder.

    Args:
        held: what is staged already: inputs that are the same are taken from there.
    """
    _emptied(folder)
    writer = Writer(folder, lists, known)
    rows = Collector(source, writer.take)
    inputs: list[StagedInput] = []
    for home, run in groupby(group, lambda member: held.home_of(member.key) if held else None):
        same = list(run)
        if held and home:
            rows.finish()
            found = held.inputs_in(home, [str(member.key) for member in same])
            whole = held.whole(home)
            writer.copy(home, whole, found, rows.types)
            rows.float_ids = rows.float_ids or (whole.float_ids if whole else "")
            inputs += found
            continue
        for member in same:
            inputs.append(StagedInput(member.key, *read_input(member.listed, rows)))
    rows.finish()
    lot = Lot(
        inputs=tuple(inputs),
        chunks=tuple(writer.chunks),
        types=noted_types(rows.types),
        named=writer.named,
        failed=dict(writer.failed),
        reasons=dict(writer.reasons),
        float_ids=rows.float_ids,
    )
    write_lot(folder, lot)
    return lot


def _emptied(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
