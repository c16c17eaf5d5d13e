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
    """Checks the types of the text and the id column, and that ids of bytes are texts.

    Raises:
        UsageError: naming the file, the column and its type.
    """
    text = plain_type(_type_of(schema, source.text))
    if not (is_text(text) or pa.types.is_null(text)):
        raise UsageError(
            f"{item.uri}: the text column {source.text!r} holds {text}, not text; "
            "name another column with `text`"
        )
    if source.id is None:
        return
    kind = plain_type(_type_of(schema, source.id))
    if pa.types.is_nested(kind):
        raise UsageError(
            f"{item.uri}: the id column {source.id!r} holds {kind}; ids are texts or numbers"
        )
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        _check_bytes(source, item, schema)


def is_clean(value: bytes) -> bool:
    """Whether bytes are a text without control characters."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() or text == text.translate(_CONTROL)


def _check_bytes(source: Source, item: InputFile, schema: pa.Schema) -> None:
    path = path_in(schema, source.id or "")
    if path is None:
        return
    for batch in _first_rows(source, item, path[0]):
        values = plain(values_at(batch, path)).to_pylist()
        if not all(is_clean(value) for value in values if value is not None):
            raise UsageError(
                f"{item.uri}: the id column {source.id!r} holds binary that is no text; ids are "
                "texts, whole numbers, UUIDs or bytes of one fixed size: store it as one of them"
            )


def _first_rows(source: Source, item: InputFile, column: str) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in iter_batches(source, item, [column]):
        yield batch.slice(0, _ROWS - rows)
        rows += batch.num_rows
        if rows >= _ROWS:
            return


def _type_of(schema: pa.Schema, name: str) -> pa.DataType:
    path = path_in(schema, name)
    return field_at(schema, path).type if path else pa.null()
