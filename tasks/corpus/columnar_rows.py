"""Rows of columnar files: their columns and their values."""

from typing import Any

import pyarrow as pa

from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.columnar import (
    is_text,
    iter_batches,
    path_in,
    plain,
    plain_type,
    schema_of,
    values_at,
)
from nocturna.tasks.corpus.columnar_types import check_types, is_clean
from nocturna.tasks.corpus.columns import require, wanted_columns
from nocturna.tasks.corpus.composed import Composed
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.kept import kept_values
from nocturna.tasks.corpus.kept_types import texts_of
from nocturna.tasks.corpus.row_ids import MAX_ID
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_ROWS, _BYTES = 16_384, 8 << 20
"""Rows and characters that are held before they become a table."""


def schema_columns(source: Source, item: InputFile) -> Absent:
    """The columns of an input by its schema."""
    schema = schema_of(source, item)
    there = {name for _, name in wanted_columns(source) if path_in(schema, name)}
    found = require(source, item, schema.names, there)
    check_types(source, item, schema)
    return found


def read_rows(source: Source, item: InputFile, rows: Collector) -> None:
    """Hands the rows of an input to a collector; kept columns keep their types."""
    if not item.size:
        return
    schema = schema_of(source, item)
    paths = {name: path_in(schema, name) for name in (source.text, source.id or "", *source.keep)}
    columns = [path[0] for path in paths.values() if path]
    rows.flush()
    row, waiting = 1, _Waiting(rows)
    for batch in iter_batches(source, item, columns):
        texts = _made(rows.text, batch, paths)
        if texts is None:
            texts = _values(batch, paths[source.text])
        ids = _made(rows.id, batch, paths)
        if ids is None and source.id is not None:
            ids = _values(batch, paths[source.id])
        kept = [_kept(batch, name, paths[name], item) for name in rows.keep]
        if not waiting.take_all(row, texts, ids, kept):
            waiting.flush()
            taken = pa.array(_one_by_one(rows, row, texts, ids), pa.int64())
            rows.flush([values.take(taken) for values in kept])
        row += batch.num_rows
    waiting.flush()


class _Waiting:
    """Columns of rows that the collector has, until there are enough of them.

    Texts wait here too, as long as no row needs a second look.
    """

    def __init__(self, rows: Collector) -> None:
        self._rows = rows
        self._kept: list[list[pa.Array]] = [[] for _ in rows.keep]
        self._texts: list[pa.Array] = []
        self._count = self._bytes = 0

    def take_all(
        self, row: int, texts: pa.Array, ids: pa.Array | None, kept: list[pa.Array]
    ) -> bool:
        """Takes a batch at once if none of its rows needs a second look."""
        kind = plain_type(texts.type)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return False
        names: list[str] | None = None
        try:
            values = plain(texts).cast(pa.large_string())
            if values.null_count:
                return False
            values.validate(full=True)
            if ids is not None and (names := _plain_ids(ids)) is None:
                return False
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return False
        self._rows.hold_many(range(row, row + len(values)), names, None)
        self._texts.append(values)
        self._note(len(values), kept, values.nbytes)
        return True

    def _note(self, count: int, kept: list[pa.Array], size: int) -> None:
        for column, values in zip(self._kept, kept, strict=True):
            column.append(values)
        self._count += count
        self._bytes += size
        if self._count >= _ROWS or self._bytes > _BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands everything over."""
        columns = [pa.concat_arrays(column) for column in self._kept if column]
        self._rows.flush(columns, pa.concat_arrays(self._texts) if self._texts else None)
        self._kept, self._texts = [[] for _ in self._kept], []
        self._count = self._bytes = 0


def _plain_ids(ids: pa.Array) -> list[str] | None:
    """Ids that are texts or whole numbers; None if one of them needs a second look."""
    kind = plain_type(ids.type)
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
        return None
    if (values := plain(ids)).null_count:
        return None
    names: list[str] = values.cast(pa.string()).to_pylist()
    good = pa.types.is_integer(kind) or all(0 < len(n) <= MAX_ID and n.strip() for n in names)
    return names if good else None


def _one_by_one(rows: Collector, row: int, texts: pa.Array, ids: pa.Array | None) -> list[int]:
    """Hands rows to a collector; returns which of them became documents."""
    taken = []
    names = _id_texts(ids) if ids is not None else None
    in_bytes = ids is not None and _is_binary(ids)
    for at, text in enumerate(_binary(texts)):
        doc_id = names[at] if names is not None else None
        try:
            value = None if text is None else text.decode()
            name = doc_id.decode() if isinstance(doc_id, bytes) else doc_id
        except UnicodeDecodeError as error:
            message = f"row {row}: byte {error.start} of the value is not UTF-8"
            rows.reject(row, None, "encoding", message, error.object)
        else:
            if in_bytes and isinstance(doc_id, bytes) and not is_clean(doc_id):
                message = f"row {row}: the id is bytes with control characters, not a text"
                rows.reject(row, None, "invalid_id", message, doc_id)
            elif rows.hold(row, name, value):
                taken.append(at)
        row += 1
    return taken


def _made(
    made: Composed | None, batch: pa.RecordBatch, paths: dict[str, tuple[str, ...] | None]
) -> pa.Array | None:
    """The column that is made of several, row by row."""
    if made is None:
        return None
    columns = [texts_of(kept_values(_values(batch, paths[name]))) for name in made.columns]
    return pa.array([made.of(row) for row in zip(*columns, strict=True)], pa.string())


def _values(batch: pa.RecordBatch, path: tuple[str, ...] | None) -> pa.Array:
    return values_at(batch, path) if path else pa.nulls(batch.num_rows)


def _kept(
    batch: pa.RecordBatch, name: str, path: tuple[str, ...] | None, item: InputFile
) -> pa.Array:
    try:
        return kept_values(_values(batch, path))
    except pa.ArrowException as error:
        raise _cannot_keep(item, name, str(error).splitlines()[0][:200]) from None


def _cannot_keep(item: InputFile, name: str, reason: str) -> UsageError:
    return UsageError(
        f"{item.uri}: the kept column {name!r} holds what cannot be kept ({reason}); store it as "
        "text or leave it out of `keep`"
    )


def _binary(array: pa.Array) -> list[bytes | None]:
    return plain(array).cast(pa.large_binary()).to_pylist()


def _is_binary(array: pa.Array) -> bool:
    kind = plain_type(array.type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _id_texts(array: pa.Array) -> list[Any]:
    array = plain(array)
    if pa.types.is_fixed_size_binary(array.type):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    if pa.types.is_floating(array.type):
        return array.to_pylist()
    kind = pa.string() if not is_text(array.type) else pa.large_binary()
    return array.cast(kind).to_pylist()
