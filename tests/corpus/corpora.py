"""Corpora written for the tests, and the ways the tests read them."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from nocturna.tasks.corpus.index import build_index, open_shard
from nocturna.tasks.corpus.inputs import freeze_inputs
from nocturna.tasks.corpus.read_shard import read_shard
from nocturna.tasks.corpus.shards import cut_shards
from nocturna.tasks.job.job import Source

Row = dict[str, Any]


def jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def delimited(rows: Sequence[Row], delimiter: str = ",", end: str = "\r\n") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def parquet(rows: Sequence[Row] | pa.Table, row_group_size: int | None = None) -> bytes:
    out = io.BytesIO()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows))
    pq.write_table(table, out, row_group_size=row_group_size)
    return out.getvalue()


def arrow(rows: Sequence[Row], batch: int = 1000, stream: bool = False) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pylist(list(rows))
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, table.schema) as writer:
        for piece in table.to_batches(max_chunksize=batch):
            writer.write_batch(piece)
    return out.getvalue()


ENCODERS = {
    "jsonl": jsonl,
    "json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "csv": delimited,
    "tsv": lambda rows: delimited(rows, "\t"),
    "parquet": lambda rows: parquet(rows, 700),
    "arrow": lambda rows: arrow(rows, 300),
    "txt": lambda rows: "".join(row["text"].replace("\n", " ") + "\n" for row in rows).encode(),
}


def compressed(data: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(data, 1)
    return zstandard.ZstdCompressor().compress(data) if ending == ".zst" else data


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def source(path: Path | str, **values: Any) -> Source:
    return Source(path=str(path), **values)


def read_all(origin: Source, shard_size: int | None = None) -> tuple[list[Row], list[Row]]:
    """Documents and rejects of a corpus, frozen, cut and read shard by shard."""
    inputs = freeze_inputs(origin)
    documents: list[Row] = []
    rejects: list[Row] = []
    for shard in cut_shards(origin, inputs, shard_size):
        rows = read_shard(origin, inputs, shard)
        documents += plain_rows(rows.documents)
        rejects += rows.rejects.to_pylist()
    return documents, rejects


def plain_rows(documents: pa.Table) -> list[Row]:
    """Documents with the kept columns under their names in the source."""
    names = [name.removeprefix("kept.") for name in documents.column_names]
    return documents.rename_columns(names).to_pylist()


def read_indexed(
    origin: Source, folder: Path, shard_size: int | None = None
) -> tuple[list[Row], list[Row], Any]:
    """Documents and rejects as scoring gets them, and the summary of the index."""
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs, shard_size)
    summary = build_index(origin, inputs, shards, folder)
    documents: list[Row] = []
    rejects: list[Row] = []
    for shard in shards:
        rows = open_shard(origin, inputs, shard, summary, folder)
        assert rows.documents.num_rows + rows.rejects.num_rows == shard.rows
        documents += plain_rows(rows.documents)
        rejects += rows.rejects.to_pylist()
    assert (len(documents), len(rejects)) == (summary.documents, summary.rejected)
    return documents, rejects, summary


def texts(rows: Sequence[Row]) -> list[str]:
    return [row["text"] for row in rows]


def reasons(rows: Sequence[Row]) -> list[str]:
    return [row["reason"] for row in rows]
