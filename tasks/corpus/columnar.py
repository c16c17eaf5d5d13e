"""Rows of Parquet and Arrow files, batch by batch, without holding a file or a row group.

A row group or a stream can only be read from its beginning, so each thread keeps the reader it
used last: shards in order are read in one pass, a restart decodes up to its first row once.
"""

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.storage import open_raw, storage_errors
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_ROWS, _FEW_ROWS = 1024, 128  # repeated long texts are small in a file, large in memory
_BUFFER = 1 << 20
_ARROW_FILE = b"ARROW1"


class _Reader:
    """A file's batches from some row on, with the row that comes next and what they unpack to."""

    def __init__(
        self, item: InputFile, handle: Any, batches: Iterator[pa.RecordBatch], row: int
    ) -> None:
        self.handle = handle
        self.batches = batches
        self.row = row
        self.unpacked = Unpacked(item)
        self.rest: pa.RecordBatch | None = None

    def take(self, stop: int) -> pa.RecordBatch | None:
        """The next rows up to `stop`, a few megabytes at most; None at the end."""
        batch = self.rest if self.rest is not None else next(self.batches, None)
        if batch is None:
            return None
        wanted = min(stop - self.row, batch.num_rows)
        self.rest = batch.slice(wanted) if wanted < batch.num_rows else None
        self.row += wanted
        return batch.slice(0, wanted)

    def close(self) -> None:
        self.handle.close()


class _Kept(threading.local):
    key: tuple[InputFile, tuple[str, ...]] | None = None
    reader: _Reader | None = None


_kept = _Kept()


def schema_of(source: Source, item: InputFile) -> pa.Schema:
    """The columns of a Parquet or Arrow input.

    Raises:
        UsageError: if the file is cut off or is not of its format.
    """
    with _format_errors(item), open_raw(source, item) as raw:
        if item.format == "parquet":
            return _parquet(raw).schema_arrow
        return _open_arrow(raw).schema


def has_rows(source: Source, item: InputFile) -> bool:
    """Whether a Parquet or Arrow input has a row; reads no more than it needs to see one.

    Raises:
        UsageError: if the file is cut off or is not of its format.
    """
    if not item.size:
        return False
    with _format_errors(item), open_raw(source, item) as raw:
        if item.format == "parquet":
            return bool(_parquet(raw).metadata.num_rows)
        return any(batch.num_rows for batch in _arrow_batches(raw))


def row_sizes(source: Source, item: InputFile, columns: Iterable[str]) -> list[tuple[int, int]]:
    """Rows of each row group or record batch, in order, and the bytes of some columns in it."""
    names = {name.partition(".")[0] for name in columns} | set(columns)
    if not item.size:
        return []
    with _format_errors(item), open_raw(source, item) as raw:
        if item.format == "parquet":
            file = _parquet(raw).metadata
            groups = map(file.row_group, range(file.num_row_groups))
            return [(group.num_rows, _bytes_of(group, names)) for group in groups]
        return [
            (
                batch.num_rows,
                sum(batch.column(name).nbytes for name in names & {*batch.schema.names}),
            )
            for batch in _arrow_batches(raw)
        ]


def iter_batches(
    source: Source, item: InputFile, columns: Iterable[str], start: int, stop: int
) -> Iterator[pa.RecordBatch]:
    """The rows from start to stop (exclusive, from 0), some megabytes at a time.

    Raises:
        UsageError: if the file is cut off, corrupt or shorter than that, or repeats so few values
            so often that they unpack to too much.
    """
    names = tuple(dict.fromkeys(columns))
    key = (item, names)
    with _format_errors(item):
        reader = _kept.reader
        if reader is None or _kept.key != key or reader.row > start:
            if reader is not None:
                reader.close()
            _kept.reader = None
            reader = _open(source, item, names, start)
            _kept.key, _kept.reader = key, reader
        while reader.row < start and reader.take(start) is not None:
            pass
    while reader.row < stop:
        with _format_errors(item):
            batch = reader.take(stop)
        if batch is None:
            return
        if batch.num_rows:
            size = sum(map(_plain_bytes, batch.columns))
            reader.unpacked.add(size)
            rows = max(1, batch.num_rows * _BATCH_BYTES // max(size, _BATCH_BYTES))
            yield from (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are texts: strings, or bytes that should be UTF-8."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def plain(array: pa.Array) -> pa.Array:
    """An array with its dictionary, view and extension types replaced by what they stand for."""
    if isinstance(array, pa.ExtensionArray):
        if _is_uuid(array.type):
            return _uuids(array.storage)
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        return plain(pc.run_end_decode(array))
    kind = plain_type(array.type)
    return array if array.type == kind else array.cast(kind)


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


def _uuids(array: pa.Array) -> pa.Array:
    named = (None if value is None else str(uuid.UUID(bytes=value)) for value in array.to_pylist())
    return pa.array(named, pa.string())


def path_in(schema: pa.Schema, name: str) -> tuple[str, ...] | None:
    """Where a column is: its name, or with dots in it the fields of a struct; None if nowhere."""
    if name in schema.names:
        return (name,)
    path = tuple(name.split("."))
    if len(path) == 1 or schema.names.count(path[0]) != 1:
        return None
    kind = schema.field(path[0]).type
    for part in path[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            return None
        kind = kind.field(part).type
    return path


def field_at(schema: pa.Schema, path: tuple[str, ...]) -> pa.Field:
    """The field at a path that `path_in` found."""
    field = schema.field(path[0])
    for part in path[1:]:
        field = field.type.field(part)
    return field


def values_at(batch: pa.RecordBatch, path: tuple[str, ...]) -> pa.Array:
    """The column of a batch at such a path."""
    array = batch.column(path[0])
    return pc.struct_field(array, list(path[1:])) if len(path) > 1 else array


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that `plain` gives to arrays of a type."""
    if _is_uuid(kind):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([field.with_type(plain_type(field.type)) for field in fields])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = kind.value_field.with_type(plain_type(kind.value_type))
        return pa.list_(inner) if pa.types.is_list(kind) else pa.large_list(inner)
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)


def _plain_bytes(array: pa.Array) -> int:
    """Bytes of an array once each repeated value stands where it is repeated."""
    if not (pa.types.is_dictionary(array.type) and is_text(array.type.value_type)):
        return int(array.nbytes)
    return pc.sum(pc.binary_length(array.dictionary).take(array.indices)).as_py() or 0


def _open(source: Source, item: InputFile, columns: tuple[str, ...], start: int) -> _Reader:
    raw = open_raw(source, item)
    if item.format == "arrow":
        return _Reader(item, raw, (batch.select(list(columns)) for batch in _arrow_batches(raw)), 0)
    file = _parquet(raw, buffer_size=_BUFFER, pre_buffer=False)
    first, group = 0, 0
    while group < file.num_row_groups and (
        first + file.metadata.row_group(group).num_rows <= start
    ):
        first += file.metadata.row_group(group).num_rows
        group += 1
    batches = _parquet_batches(file, range(group, file.num_row_groups), columns)
    return _Reader(item, raw, batches, first)


def _parquet(raw: Any, **options: Any) -> pq.ParquetFile:
    """A Parquet file; times of 96 bits in microseconds, since in nanoseconds far ones wrap."""
    return pq.ParquetFile(raw, coerce_int96_timestamp_unit="us", **options)


def _parquet_batches(
    file: pq.ParquetFile, groups: range, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    for number in groups:
        group = file.metadata.row_group(number)
        if not group.num_rows:
            continue
        size = max(1, _bytes_of(group, set(columns)) // group.num_rows)
        repeats = any(group.column(i).has_dictionary_page for i in range(group.num_columns))
        rows = min(_FEW_ROWS if repeats else _BATCH_ROWS, max(1, _BATCH_BYTES // size))
        yield from file.iter_batches(rows, row_groups=[number], columns=list(columns))


def _bytes_of(group: Any, columns: set[str]) -> int:
    chunks = map(group.column, range(group.num_columns))
    return sum(
        chunk.total_uncompressed_size
        for chunk in chunks
        if chunk.path_in_schema in columns or chunk.path_in_schema.split(".")[0] in columns
    )


def _open_arrow(raw: Any) -> Any:
    start = raw.read(len(_ARROW_FILE))
    raw.seek(0)
    return pa.ipc.open_file(raw) if start == _ARROW_FILE else pa.ipc.open_stream(raw)


def _arrow_batches(raw: Any) -> Iterator[pa.RecordBatch]:
    reader = _open_arrow(raw)
    if isinstance(reader, pa.RecordBatchFileReader):
        yield from map(reader.get_batch, range(reader.num_record_batches))
    else:
        yield from reader


@contextmanager
def _format_errors(item: InputFile) -> Iterator[None]:
    with storage_errors(item.uri):
        try:
            yield
        except (TimeoutError, ConnectionError):
            raise
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UsageError(
                f"{item.uri}: cannot be read as {item.format} ({reason}); the file may be cut off "
                "or corrupt: write or copy it again"
            ) from None
