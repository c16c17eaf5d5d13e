"""Writing the chunks of a lot."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import is_kept, source_name
from nocturna.tasks.corpus.kept_types import KeptTypes, seen_in
from nocturna.tasks.corpus.lots import (
    Chunk,
    Lot,
    StagedInput,
    digest_of,
    index_file,
    rejects_file,
    texts_file,
)
from nocturna.tasks.corpus.staged_rows import (
    TEXTS_SCHEMA,
    counts_of,
    index_table,
    texts_table,
    write_table,
)

Known = Callable[[pa.Table], npt.NDArray[np.bool_]]
"""Which documents of a table, by `doc_id` and `content_hash`, need no text tonight."""


class Writer:
    """Writes chunks into the folder of a lot.

    Args:
        lists: kept columns that hold the labels of each document.

    Attributes:
        named: whether a document brings an id.
        failed, reasons: documents that cannot be scored and rejects, by code and reason.
    """

    def __init__(self, folder: Path, lists: tuple[str, ...], known: Known | None) -> None:
        self.chunks: list[Chunk] = []
        self.named = False
        self.failed: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._folder, self._lists, self._known = folder, lists, known

    def take(self, documents: pa.Table, rejects: pa.Table) -> None:
        """Writes a chunk as a `Collector` gives it."""
        self.named = self.named or documents["doc_id"].null_count < documents.num_rows
        index = index_table(documents, self._lists)
        needed = pc.is_null(documents["error_code"])
        if self._known is not None:
            needed = pc.and_not(needed, pa.array(self._known(index)))
        write_table(texts_table(documents, needed), texts_file(self._folder, len(self.chunks)))
        self._write(index, rejects)

    def copy(
        self, home: Path, lot: Lot | None, inputs: Sequence[StagedInput], types: KeptTypes
    ) -> None:
        """Writes chunks with what another lot holds of some inputs, without texts.

        Args:
            types: gets what the kept columns are met with.
        """
        self.named = self.named or bool(lot and lot.named)
        uris = pa.array([one.item.uri for one in inputs], pa.string())
        for number in range(len(lot.chunks) if lot else 0):
            tables = [pq.read_table(file(home, number)) for file in (index_file, rejects_file)]
            index, rejects = (t.filter(pc.is_in(t["source_uri"], uris)) for t in tables)
            if not index.num_rows and not rejects.num_rows:
                continue
            for column in filter(is_kept, index.column_names):
                values = index[column]
                types.add(source_name(column), values.type, seen_in(values, inputs[0].item.uri))
            self._write(index, rejects)

    def _write(self, index: pa.Table, rejects: pa.Table) -> None:
        number = len(self.chunks)
        paths = index_file(self._folder, number), rejects_file(self._folder, number)
        write_table(index, paths[0])
        write_table(rejects, paths[1])
        self.failed.update(counts_of(index["error_code"]))
        self.reasons.update(counts_of(rejects["reason"]))
        digests = digest_of(paths[0]), digest_of(paths[1])
        self.chunks.append(Chunk(index.num_rows, rejects.num_rows, digests))


def put_texts(fresh: Path, chunks: int, folder: Path, wanted: int) -> bool:
    """Gives the chunks of a lot the texts of the same documents, which may be cut otherwise.

    Args:
        fresh: a lot with all texts, of so many chunks.
        folder: the one that gets them, of `wanted` chunks.

    Returns:
        whether they are the same documents.
    """
    found = _texts_of(fresh, chunks)
    waiting = _DOCUMENTS.empty_table()
    for number in range(wanted):
        hashes = pq.read_table(index_file(folder, number), columns=["content_hash"])
        while waiting.num_rows < hashes.num_rows and (more := next(found, None)) is not None:
            waiting = pa.concat_tables([waiting, more])
        mine = waiting.slice(0, hashes.num_rows)
        waiting = waiting.slice(hashes.num_rows)
        if not mine["content_hash"].equals(hashes["content_hash"]):
            return False
        needed = pc.is_valid(mine["text"])
        write_table(texts_table(mine, needed), texts_file(folder, number))
    return not waiting.num_rows and next(found, None) is None


_DOCUMENTS = pa.schema([pa.field("content_hash", pa.string()), TEXTS_SCHEMA.field("text")])


def _texts_of(folder: Path, chunks: int) -> Iterator[pa.Table]:
    """The documents of a lot with their texts, chunk by chunk."""
    for number in range(chunks):
        hashes = pq.read_table(index_file(folder, number), columns=["content_hash"])
        texts = pq.read_table(texts_file(folder, number))
        place = np.full(hashes.num_rows, -1)
        place[texts["position"].to_numpy()] = np.arange(texts.num_rows)
        found = texts["text"].take(pa.array(place, mask=place < 0))
        yield pa.table([hashes["content_hash"], found], schema=_DOCUMENTS)
