"""What the rows of a corpus become in Arrow: documents, and rejects with their reason."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string()),  # null until the index names documents without an id
        pa.field("text", pa.large_string()),  # null where error_code is set
        pa.field("content_hash", pa.string()),  # sha256 of the UTF-8 text, first 32 hex digits
        pa.field("source_uri", pa.string()),
        pa.field("source_row", pa.int64()),
        pa.field("error_code", pa.string()),  # null: to be scored
        pa.field("error_message", pa.string()),
        pa.field("bytes", pa.int64()),  # of the UTF-8 text
    ]
)

REJECT_SCHEMA = pa.schema(
    [
        pa.field("source_uri", pa.string()),
        pa.field("source_row", pa.int64()),
        # in the decompressed stream; null where rows have none
        pa.field("byte_offset", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("message", pa.string()),
        pa.field("raw", pa.binary()),  # the first 4,096 bytes
    ]
)

DISPOSED = ("score", "failed")
"""Dispositions in an index of what becomes a row of the results."""

_KEPT, _WRITTEN = "kept.", "written."


def reject_table(rejects: Iterable[Sequence[Any]]) -> pa.Table:
    """Rows that are no documents, each as its values of REJECT_SCHEMA."""
    names = REJECT_SCHEMA.names
    rows = [dict(zip(names, reject, strict=True)) for reject in rejects]
    return pa.Table.from_pylist(rows, REJECT_SCHEMA)


def kept_name(name: str) -> str:
    """What a kept source column is called among our own columns, which it never meets."""
    return _KEPT + name


def is_kept(column: str) -> bool:
    """Whether `kept_name` named a column."""
    return column.startswith(_KEPT)


def written_name(name: str) -> str:
    """What the column is called that has a kept one's numbers as they were written."""
    return _WRITTEN + name


def source_name(name: str) -> str:
    """The source column that `kept_name` named."""
    return name.removeprefix(_KEPT)
