"""The files of an index, and how they are written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def index_path(folder: Path, shard: int) -> Path:
    """Where the documents of a shard are."""
    return folder / f"index-{shard:06}.parquet"


def rejects_path(folder: Path, shard: int) -> Path:
    """Where the rows of a shard are that are no documents."""
    return folder / f"rejects-{shard:06}.parquet"


def write_table(table: pa.Table, path: Path) -> None:
    """Writes one of them."""
    pq.write_table(table, path, compression="zstd")


def counts_of(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value is in a column, nulls aside."""
    counts = pc.value_counts(column.drop_null().combine_chunks())
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
