"""What the rows of a corpus become in Arrow: documents, and rejects with their reason."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from nocturna.tasks.corpus.kept_types import KeptTypes


@dataclass(frozen=True)
class ShardRows:
    """What reading a shard yields; both tables together hold `Shard.rows` rows.

    Attributes:
        documents: DOCUMENT_SCHEMA plus the kept source columns, in corpus order.
        types: what the kept columns were read as.
        rejects: REJECT_SCHEMA, in corpus order.
        digest: sha256 over what was read: rows, ids, content hashes, kept values, reasons.
    """

    documents: pa.Table
    rejects: pa.Table
    digest: str
    types: "KeptTypes"


DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string()),  # null until the index names documents without an id
        pa.field("text", pa.large_string()),  # null where error_code is set
        pa.field("content_hash", pa.string()),  # sha256 of the UTF-8 text, first 32 hex digits
        pa.field("source_uri", pa.string()),
        pa.field("source_row", pa.int64()),
        pa.field("error_code", pa.string()),  # null: to be scored
        pa.field("error_message", pa.string()),
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

_KEPT = "kept."


def kept_name(name: str) -> str:
    """What a kept source column is called among our own columns, which it never meets."""
    return _KEPT + name


def source_name(name: str) -> str:
    """The source column that `kept_name` named."""
    return name.removeprefix(_KEPT)
