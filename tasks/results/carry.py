"""The parts of the next snapshot: new ones, carried ones, and those that had to be written anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.results.difference import Difference, dead_rows
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.parts import is_whole, schema_of, write_streamed
from nocturna.tasks.results.schema import differing_columns, fitted, same_columns
from nocturna.tasks.results.shard_records import PartFile

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Sizes:
    """When small parts are joined, and how large the joined ones get.

    Attributes:
        small_rows: a part of fewer rows is small.
        most_small: as many small parts as this are joined.
        part_rows, part_bytes: a joined part is closed when it has as many.
    """

    small_rows: int = 2_000_000
    most_small: int = 16
    part_rows: int = 5_000_000
    part_bytes: int = 1 << 30


@dataclass(frozen=True, eq=False)
class _Source:
    part: PartFile
    dead: npt.NDArray[np.int64]
    fits: bool

    @property
    def rows(self) -> int:
        return self.part.rows - len(self.dead)

    @property
    def is_clean(self) -> bool:
        return self.fits and not len(self.dead)


def next_parts(
    layout: Layout,
    run_id: str,
    difference: Difference,
    new: Sequence[PartFile],
    schema: pa.Schema,
    first_number: int,
    fill: bool = True,
    sizes: Sizes | None = None,
) -> list[PartFile]:
    """The parts of the snapshot that follows `difference.base`, ready to be published.

    Parts of which every row stays are carried as they are. Those with superseded or dropped rows
    are written anew without them, those with other columns with null in the columns that they
    lack, and many small parts are joined. What is written goes to the run's work folder.

    Args:
        new: the parts that the run scored.
        first_number: number of the first part that is written here; the shards have those before.
        fill: whether rows with other columns may be carried, with nulls.

    Raises:
        NocturnaError: another run published meanwhile, or a carried part is damaged.
        UsageError: rows with other columns would be carried and `fill` is off.
    """
    snapshot = current_snapshot(layout)
    if difference.base != (snapshot.number if snapshot else 0):
        raise NocturnaError(
            f"{layout.root}: another run published since this one was planned; "
            "run the same command again"
        )
    sizes = sizes or Sizes()
    dead = dead_rows(layout, run_id)
    nothing = np.array([], dtype=np.int64)
    base = [
        part for part in (snapshot.parts if snapshot else ()) if part.name not in difference.damaged
    ]
    sources = [
        *(_source(part, dead.get(part.name, nothing), schema) for part in base),
        *(_Source(part, nothing, True) for part in new),
    ]
    live = [source for source in sources if source.rows]
    if not fill:
        _refuse_other_columns(layout, live, schema)
    rewritten = [source for source in live if not source.is_clean or _is_small(source, sizes)]
    if len(rewritten) < sizes.most_small:
        rewritten = [source for source in live if not source.is_clean]
    kept = [source.part for source in live if source not in rewritten]
    groups = enumerate(_groups(rewritten, sizes), start=first_number)
    return [*kept, *(_join(layout, run_id, group, schema, number) for number, group in groups)]


def _source(part: PartFile, dead: npt.NDArray[np.int64], schema: pa.Schema) -> _Source:
    return _Source(part, dead, same_columns(schema_of(part.path), schema))


def _is_small(source: _Source, sizes: Sizes) -> bool:
    return source.rows < sizes.small_rows and source.part.bytes < sizes.part_bytes // 2


def _groups(sources: list[_Source], sizes: Sizes) -> Iterator[list[_Source]]:
    group: list[_Source] = []
    for source in sources:
        rows = sum(s.rows for s in [*group, source])
        size = sum(s.part.bytes for s in [*group, source])
        if group and (rows > sizes.part_rows or size > sizes.part_bytes):
            yield group
            group = []
        group.append(source)
    if group:
        yield group


def _join(
    layout: Layout, run_id: str, sources: list[_Source], schema: pa.Schema, number: int
) -> PartFile:
    rows = sum(source.rows for source in sources)
    tables = (table for source in sources for table in _live_rows(source, schema))
    return write_streamed(tables, schema, rows, layout.work(run_id), run_id, number)


def _live_rows(source: _Source, schema: pa.Schema) -> Iterator[pa.Table]:
    if not is_whole(source.part):
        raise NocturnaError(
            f"{source.part.path}: was damaged since the run was planned; "
            "run the same command again, it scores that part once more"
        )
    first = 0
    with pq.ParquetFile(source.part.path, buffer_size=1 << 20, pre_buffer=False) as content:
        for batch in content.iter_batches(BATCH_ROWS):
            alive = np.ones(batch.num_rows, dtype=bool)
            start, stop = np.searchsorted(source.dead, [first, first + batch.num_rows])
            alive[source.dead[start:stop] - first] = False
            first += batch.num_rows
            table = pa.Table.from_batches([batch])
            yield fitted(table.filter(pa.array(alive)), schema)


def _refuse_other_columns(layout: Layout, live: list[_Source], schema: pa.Schema) -> None:
    odd = next((source for source in live if not source.fits), None)
    if odd is None:
        return
    names = ", ".join(differing_columns(schema_of(odd.part.path), schema))
    rows = sum(source.rows for source in live if not source.fits)
    raise UsageError(
        f"{layout.root}: {rows:,} rows of vanished documents have other columns ({names}); drop "
        "them, carry them with nulls in what they lack, or score into another folder"
    )
