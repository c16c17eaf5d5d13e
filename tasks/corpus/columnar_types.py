"""Whether the text and id columns of a Parquet or Arrow input can be read as that."""

from collections.abc import Iterator

import pyarrow as pa

from nocturna.tasks.corpus.columnar import (
    field_at,
    is_text,
    iter_batches,
    path_in,
    plain,
    plain_type,
    values_at,
)
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_ROWS = 250
_CONTROL = dict.fromkeys(range(32))


def check_types(source: Source, item: InputFile, schema: pa.Schema) -> None:
    """Checks the types of the text and the id column by the first rows, and that ids are texts.

    Raises:
        UsageError: naming the file, the column and its type.
    """
    parts = source.parts.get("text", ())
    for name in parts or (source.text,):
        path = path_in(schema, name)
        if path and not _may_be_text(type_of(schema, name), bool(parts)):
            for batch in _first_rows(source, item, path[0]):
                as_texts(item, name, values_at(batch, path), bool(parts))
    for name in source.parts.get("id", (source.id,)) if source.id is not None else ():
        kind = type_of(schema, name)
        if pa.types.is_nested(kind):
            raise UsageError(
                f"{item.uri}: the id column {name!r} holds {kind}; ids are texts or numbers"
            )
        if is_bytes(kind):
            _check_bytes(source, item, schema, name)


def as_texts(item: InputFile, name: str, values: pa.Array, is_part: bool = False) -> pa.Array:
    """Values of a text column; nulls of another type are such too, as of one without any text.

    Args:
        is_part: whether the column is one of several, where a year or a date may stand too.

    Raises:
        UsageError: one is no text.
    """
    kind = plain_type(values.type)
    if _may_be_text(kind, is_part):
        return values
    if not plain(values).is_null(nan_is_null=True).false_count:
        return pa.nulls(len(values))
    raise UsageError(
        f"{item.uri}: the text column {name!r} holds {kind}, not text; "
        "name another column with `text`"
    )


def _may_be_text(kind: pa.DataType, is_part: bool) -> bool:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    is_moment = pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind)
    return is_text(kind) or bool(pa.types.is_null(kind) or (is_part and (is_number or is_moment)))


def is_clean(value: bytes) -> bool:
    """Whether bytes are a text without control characters."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() or text == text.translate(_CONTROL)


def _check_bytes(source: Source, item: InputFile, schema: pa.Schema, name: str) -> None:
    path = path_in(schema, name)
    if path is None:
        return
    for batch in _first_rows(source, item, path[0]):
        values = plain(values_at(batch, path)).to_pylist()
        if not all(is_clean(value) for value in values if value is not None):
            raise UsageError(
                f"{item.uri}: the id column {name!r} holds binary that is no text; ids are "
                "texts, whole numbers, UUIDs or bytes of one fixed size: store it as one of them"
            )


def _first_rows(source: Source, item: InputFile, column: str) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in iter_batches(source, item, [column]):
        yield batch.slice(0, _ROWS - rows)
        rows += batch.num_rows
        if rows >= _ROWS:
            return


def type_of(schema: pa.Schema, name: str) -> pa.DataType:
    """The type of a column as `plain` gives it; null where it is not there."""
    path = path_in(schema, name)
    return plain_type(field_at(schema, path).type) if path else pa.null()


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values of a type are bytes, of any number."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
