"""Cutting the documents that need something into shards, each a file with all that it needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.control import go_on
from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, kept_name
from nocturna.tasks.corpus.lots import index_file, texts_file
from nocturna.tasks.corpus.staged_rows import texts_at
from nocturna.tasks.corpus.staging import Staged
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.difference import wanted_by_chunk, wanted_weight
from nocturna.tasks.results.layout import Layout

SHARD_BYTES = 64 << 20
_SHARDS, _TURNS = 400, 24
"""Shards of a large corpus, and how many at least each of many workers gets."""
_FEW_ROWS, _ROWS = 1000, 4000
"""Documents of a shard of a small corpus: as many as leave each worker its turns."""
_ROW_BYTES = 64
"""What a row weighs besides its text, however short that is."""


def shard_file(layout: Layout, run_id: str, shard: int) -> Path:
    """Where the documents of a shard are."""
    return layout.shards(run_id) / f"shard-{shard:05d}.parquet"


def cut_shards(
    layout: Layout,
    run_id: str,
    staged: Staged,
    kept: pa.Schema,
    size: int | None = None,
    workers: int = 1,
    all_texts: bool = False,
) -> tuple[int, ...]:
    """Writes the documents that get a new row into shards of about the same amount of work.

    Without a size there are some 400 shards of about 4,000 documents or more, or 24 for each of
    many workers; of fewer documents shards of 1,000 and more, and as many shards as workers.

    Args:
        kept: the kept columns, by their names in the source.
        size: documents of a shard.
        workers: shards that are scored at once.
        all_texts: whether a row needs its text also where nothing is asked of it.

    Returns:
        how many documents each shard has.

    Raises:
        NocturnaError: a text is needed that was not staged, and the source holds another one now.
    """
    rows, size_in_all = wanted_weight(layout, run_id)
    with files.clear_errors(layout.root):
        building = files.temporary_of(layout.shards(run_id))
        files.remove_folder(building)
        files.make_folder(building, private=True)
        cutter = _Cutter(building, _Sizes.of(rows, size_in_all, size, workers))
        for chunk, wanted in wanted_by_chunk(layout, run_id):
            go_on()
            cutter.add(_documents(layout, run_id, staged, kept, chunk, wanted, all_texts))
        cutter.close()
        files.put_folder(building, layout.shards(run_id))
    return tuple(cutter.rows)


def _documents(
    layout: Layout,
    run_id: str,
    staged: Staged,
    kept: pa.Schema,
    chunk: int,
    wanted: pa.Table,
    all_texts: bool,
) -> pa.Table:
    """The wanted documents of a chunk with their texts, and what is wanted of them."""
    index = pq.read_table(index_file(layout.index(run_id), chunk)).take(wanted["position"])
    number, inside = staged.lot_of(chunk)
    home = staged.lots[number][0]
    due = pc.is_null(index["error_code"])
    if not all_texts:
        due = pc.and_(due, pc.not_equal(wanted["needs"], 0))
    texts = texts_at(texts_file(home, inside), wanted["position"].to_numpy())
    if pc.any(pc.and_(due, pc.is_null(texts))).as_py():
        staged.again(number)
        texts = texts_at(texts_file(home, inside), wanted["position"].to_numpy())
        if pc.any(pc.and_(due, pc.is_null(texts))).as_py():
            uri = index["source_uri"][0].as_py()
            raise NocturnaError(f"{uri}: changed while the run was going on; run again")
    own = [texts if name == "text" else index[name] for name in DOCUMENT_SCHEMA.names]
    columns = dict(zip(DOCUMENT_SCHEMA.names, own, strict=True))
    columns |= {kept_name(name): index[kept_name(name)] for name in kept.names}
    return pa.table(columns | {name: wanted[name] for name in ("needs", "part", "row")})


@dataclass(frozen=True)
class _Sizes:
    """How large shards are: documents at most, and how many shards share the weight of all."""

    most: int
    shards: int
    weight: float
    exact: bool

    @classmethod
    def of(cls, rows: int, text_bytes: int, size: int | None, workers: int) -> "_Sizes":
        weight = float(max(1, text_bytes + _ROW_BYTES * rows))
        if size:
            return cls(size, 1, weight, True)
        turns = math.ceil(rows / (_TURNS * workers))
        few = min(max(turns, _FEW_ROWS), _ROWS)
        most = max(few, math.ceil(rows / max(_SHARDS, _TURNS * workers)))
        shards = math.ceil(math.ceil(rows / most) / workers) * workers
        return cls(2 * most, max(1, shards), weight, False)


@dataclass
class _Cutter:
    """Writes shards one after the other."""

    folder: Path
    sizes: _Sizes
    rows: list[int] = field(default_factory=list)
    _tables: list[pa.Table] = field(default_factory=list)
    _waiting: int = 0
    _bytes: int = 0
    _shard: int = -1
    _before: float = 0.0

    def add(self, documents: pa.Table) -> None:
        for shard, some in self._by_shard(documents):
            if shard != self._shard:
                self.close()
                self._shard = shard
            self._fill(some)

    def close(self) -> None:
        if not self._tables:
            return
        path = self.folder / f"shard-{len(self.rows):05d}.parquet"
        pq.write_table(
            pa.concat_tables(self._tables),
            files.new_file(path, private=True),
            compression="lz4",
            use_dictionary=["source_uri", "error_code", "error_message", "part"],
        )
        self.rows.append(self._waiting)
        self._tables, self._waiting, self._bytes = [], 0, 0

    def _by_shard(self, documents: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        if self.sizes.exact:
            yield 0, documents
            return
        weights = documents["bytes"].to_numpy().astype(float) + _ROW_BYTES
        ends = self._before + np.cumsum(weights)
        shards = ((ends - weights / 2) * self.sizes.shards / self.sizes.weight).astype(np.int64)
        self._before = float(ends[-1])
        starts = np.flatnonzero(np.diff(shards, prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(shards)], strict=True):
            yield int(shards[start]), documents.slice(start, stop - start)

    def _fill(self, documents: pa.Table) -> None:
        """Takes documents into the shard in hand, and those that follow where it is full."""
        while documents.num_rows:
            sizes = np.cumsum(documents["bytes"].to_numpy()) + self._bytes
            fits = min(
                self.sizes.most - self._waiting,
                int(np.searchsorted(sizes, SHARD_BYTES, side="right")),
            )
            if fits <= 0 and self._waiting:
                self.close()
                continue
            fits = max(1, fits)
            self._tables.append(documents.slice(0, fits))
            self._bytes = int(sizes[min(fits, len(sizes)) - 1])
            self._waiting += min(fits, documents.num_rows)
            documents = documents.slice(fits)
