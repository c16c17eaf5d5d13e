"""The tables of what is staged: an index of the documents, and the texts that may be wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, kept_name
from nocturna.tasks.corpus.kept import label_lists

INDEX_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("content_hash", pa.string()),
        pa.field("source_uri", pa.string()),
        pa.field("source_row", pa.int64()),
        pa.field("disposition", pa.string()),  # score, failed, duplicate_id or superseded
        pa.field("error_code", pa.string()),
        pa.field("error_message", pa.string()),
        pa.field("bytes", pa.int64()),
    ]
)
TEXTS_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int32()),  # among the documents of the chunk, from 0
        pa.field("text", pa.large_string()),
    ]
)
_FEW = ["source_uri", "disposition", "error_code", "error_message", "reason", "message"]


def index_table(documents: pa.Table, lists: Sequence[str] = ()) -> pa.Table:
    """The index of the documents of a chunk.

    A document without an id is named for its content; the kept columns are in it as
    `kept.<column>`, so that a night sees which have changed, and labels of a document's own as
    `list.<column>`.
    """
    first_names = pc.binary_join_element_wise(documents["content_hash"], "1", "-")
    codes = documents["error_code"]
    made = {
        **{name: documents[name] for name in INDEX_SCHEMA.names if name in documents.column_names},
        "doc_id": pc.coalesce(documents["doc_id"], first_names),
        "disposition": pc.if_else(pc.is_null(codes), "score", "failed"),
    }
    table = pa.table([made[name] for name in INDEX_SCHEMA.names], schema=INDEX_SCHEMA)
    for name in documents.column_names[len(DOCUMENT_SCHEMA) :]:
        table = table.append_column(name, documents[name])
    for name in lists:
        own = label_lists(documents[kept_name(name)])
        labels = pa.array(map(list, own), pa.list_(pa.string()))
        table = table.append_column(f"list.{name}", labels)
    return table


def texts_table(documents: pa.Table, needed: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The texts of some documents of a chunk, with their positions."""
    positions = pa.array(range(documents.num_rows), pa.int32())
    columns = [positions, documents["text"]]
    return pa.table(columns, schema=TEXTS_SCHEMA).filter(needed)


def texts_at(path: Path, positions: npt.NDArray[np.integer]) -> pa.Array:
    """The texts of documents of a chunk, null where they were not staged."""
    if not path.exists():
        return pa.nulls(len(positions), pa.large_string())
    table = pq.read_table(path)
    there = table["position"].to_numpy()
    at = np.searchsorted(there, positions)
    found = at < len(there)
    found[found] = there[at[found]] == positions[found]
    taken = table["text"].take(pa.array(np.where(found, at, 0), mask=~found))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def write_table(table: pa.Table, path: Path) -> None:
    """Writes one of them."""
    named = [name for name in table.column_names if name in _FEW]
    if "text" in table.column_names:  # read once and removed
        pq.write_table(table, path, compression="lz4", use_dictionary=False)
    else:
        pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=named)


def rewrite(table: pa.Table, path: Path) -> None:
    """Puts a table in the place of a file that may be linked elsewhere."""
    building = path.with_name(f".{path.name}.building")
    write_table(table, building)
    building.replace(path)


def counts_of(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value is in a column, nulls aside."""
    counts = pc.value_counts(column.drop_null().combine_chunks())
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
