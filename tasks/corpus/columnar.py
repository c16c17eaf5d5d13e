"""Rows of Parquet and Arrow files, batch by batch, without holding a file or a row group."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.columns import splits
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.log_tables import fixed_columns
from nocturna.tasks.corpus.storage import open_raw, storage_errors
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_BATCH_BYTES = 8 * 1024 * 1024
_MOST_ROWS, _TOGETHER = 128, 8192
"""Rows of a batch as it is read, and of those that are put together."""
_BUFFER = 1 << 20
_ARROW_FILE = b"ARROW1"
_JOINED = b"PAR1PAR1"
_MOST_LOOKED_AT = 64 << 20


def schema_of(source: Source, item: InputFile) -> pa.Schema:
    """The columns of a Parquet or Arrow input.

    Raises:
        UsageError: if the file is cut off or is not of its format.
    """
    with _format_errors(item), open_raw(source, item) as raw:
        found = _parquet(raw).schema_arrow if item.format == "parquet" else _open_arrow(raw).schema
    more = fixed_columns(item).schema
    return pa.schema([*found, *(field for field in more if field.name not in found.names)])


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


def rows_in(source: Source, item: InputFile) -> int | None:
    """How many rows an input says that it has; None where only reading it would tell."""
    if item.format != "parquet":
        return None
    with _format_errors(item), open_raw(source, item) as raw:
        return int(_parquet(raw).metadata.num_rows)


def iter_batches(
    source: Source, item: InputFile, columns: Iterable[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of an input, some megabytes at a time.

    Raises:
        UsageError: if the file is cut off or corrupt, or repeats so few values so often that they
            unpack to too much.
    """
    if not item.size:
        return
    names, fixed = list(dict.fromkeys(columns)), fixed_columns(item)
    unpacked = Unpacked(item, inside=True)
    with _format_errors(item):
        raw = open_raw(source, item)
    try:
        found = _several(_batches(item, raw, names), unpacked)
        while True:
            with _format_errors(item):
                batch, size = next(found, (None, 0))
            if batch is None:
                return
            for name in set(names) & set(fixed.schema.names) - set(batch.schema.names):
                values = pa.repeat(fixed[name][0], batch.num_rows)
                batch = batch.append_column(name, values)
            rows = max(1, batch.num_rows * _BATCH_BYTES // max(size, _BATCH_BYTES))
            yield from (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))
    finally:
        raw.close()


def _several(
    found: Iterator[pa.RecordBatch], unpacked: Unpacked
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches, small ones put together, each with its bytes once nothing in it is packed."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in found:
        own = sum(map(_plain_bytes, batch.columns))
        unpacked.add(own)
        if waiting and (rows + batch.num_rows > _TOGETHER or size + own > _BATCH_BYTES):
            yield _one(waiting), size
            waiting, rows, size = [], 0, 0
        if batch.num_rows:
            waiting.append(batch)
            rows, size = rows + batch.num_rows, size + own
    if waiting:
        yield _one(waiting), size


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (joined,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


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
    for column, rest in splits(name):
        if schema.names.count(column) == 1:
            path = _path_inside(schema.field(column).type, rest)
            if path is not None:
                return (column, *path)
    return None


def _path_inside(kind: pa.DataType, name: str) -> tuple[str, ...] | None:
    if not pa.types.is_struct(kind):
        return None
    if kind.get_field_index(name) >= 0:
        return (name,)
    for field, rest in splits(name):
        at = kind.get_field_index(field)
        if at >= 0 and (path := _path_inside(kind.field(at).type, rest)) is not None:
            return (field, *path)
    return None


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


def _batches(item: InputFile, raw: Any, columns: list[str]) -> Iterator[pa.RecordBatch]:
    if item.format == "arrow":
        for batch in _arrow_batches(raw):
            yield batch.select(_there(columns, batch.schema.names))
        return
    _refuse_joined(item, raw)
    file = _parquet(raw, buffer_size=_BUFFER, pre_buffer=False)
    yield from _parquet_batches(file, _there(columns, file.schema_arrow.names))


def _there(columns: list[str], names: list[str]) -> list[str]:
    """The columns that a file itself has; one at least, to know its rows."""
    return [name for name in columns if name in names] or names[:1]


def _parquet(raw: Any, **options: Any) -> pq.ParquetFile:
    """A Parquet file; times of 96 bits in microseconds, since in nanoseconds far ones wrap."""
    return pq.ParquetFile(raw, coerce_int96_timestamp_unit="us", **options)


def _parquet_batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of few rows: repeated long texts are small in a file, large in memory.

    What the file says of a single column is not asked for: of a corrupt one that ends the process.
    """
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        if not group.num_rows:
            continue
        size = max(1, group.total_byte_size // group.num_rows)
        rows = min(_MOST_ROWS, max(1, _BATCH_BYTES // size))
        yield from file.iter_batches(rows, row_groups=[number], columns=columns)


def _refuse_joined(item: InputFile, raw: Any) -> None:
    """Refuses a Parquet file that several were put into: the end of the last tells of others' rows.

    Where they meet, the mark stands twice. Files are looked through that are small and here.

    Raises:
        pyarrow.ArrowInvalid: it was.
    """
    if item.size > _MOST_LOOKED_AT or is_remote(item.uri):
        return
    before = b""
    while block := raw.read(_BUFFER):
        if _JOINED in before + block:
            raise pa.ArrowInvalid("several that were joined: write them as one")
        before = block[-len(_JOINED) :]
    raw.seek(0)


def _open_arrow(raw: Any) -> Any:
    start = raw.read(len(_ARROW_FILE))
    raw.seek(0)
    return pa.ipc.open_file(raw) if start == _ARROW_FILE else pa.ipc.open_stream(raw)


def _arrow_batches(raw: Any) -> Iterator[pa.RecordBatch]:
    reader = _open_arrow(raw)
    if isinstance(reader, pa.RecordBatchFileReader):
        yield from map(reader.get_batch, range(reader.num_record_batches))
        return
    yield from reader
    if raw.read(1):
        raise pa.ArrowInvalid("several that were joined: there is more behind its end")


@contextmanager
def _format_errors(item: InputFile) -> Iterator[None]:
    with storage_errors(item.uri):
        try:
            yield
        except (TimeoutError, ConnectionError):
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UsageError(
                f"{item.uri}: cannot be read as {item.format} ({reason}); the file may be cut off "
                "or corrupt: write or copy it again"
            ) from None
