"""Corpora written for the tests, and the ways the tests read them."""

import bz2
import csv
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from nocturna.tasks.corpus import collector
from nocturna.tasks.corpus.choosing import list_inputs
from nocturna.tasks.corpus.copies import without_copies
from nocturna.tasks.corpus.document_tables import DISPOSED
from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.corpus.index import build_index, read_rejects
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import look_at
from nocturna.tasks.corpus.lot_writer import Known
from nocturna.tasks.corpus.lots import index_file, texts_file
from nocturna.tasks.corpus.staging import Shelf, Staged, stage
from nocturna.tasks.job.job import Source
from nocturna.tasks.results import files

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
    if ending == ".bz2":
        return bz2.compress(data, 1)
    if ending == ".xz":
        return lzma.compress(data, preset=1)
    if ending == ".gz":
        return gzip.compress(data, 1)
    return zstandard.ZstdCompressor().compress(data) if ending == ".zst" else data


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, data in files:
            packed.writestr(name, data)
    return out.getvalue()


def tarred(files, packing=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return compressed(out.getvalue(), packing)


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def source(path: Path | str, **values: Any) -> Source:
    return Source(path=str(path), **values)


@contextmanager
def chunks_of(rows: int | None) -> Iterator[None]:
    """Chunks of at most so many rows, where a number is given; of all threads."""
    before = collector._CHUNK_ROWS
    collector._CHUNK_ROWS = rows or before
    try:
        yield
    finally:
        collector._CHUNK_ROWS = before


def read_all(origin: Source, size: int | None = None) -> tuple[list[Row], list[Row]]:
    """Documents and rejects of a corpus, read in chunks of at most so many rows."""
    with chunks_of(size):
        documents, rejects = read_in_memory(origin)
    return plain_rows(documents), rejects.to_pylist()


def inputs_of(origin: Source) -> list[InputFile]:
    """The inputs of a corpus as a first look shows them."""
    return [look_at(origin, *one) for one in without_copies(origin, list_inputs(origin))]


def staged_in(origin: Source, folder: Path, known: Known | None = None) -> Staged:
    """A corpus staged in a folder."""
    return stage(origin, Shelf(folder, files.put_folder), (), known)


def plain_rows(documents: pa.Table) -> list[Row]:
    """Documents with the kept columns under their names in the source."""
    written = [name for name in documents.column_names if name.startswith("written.")]
    documents = documents.drop_columns(written)
    names = [name.removeprefix("kept.") for name in documents.column_names]
    return documents.rename_columns(names).to_pylist()


def read_indexed(
    origin: Source, folder: Path, size: int | None = None
) -> tuple[list[Row], list[Row], Any]:
    """Documents and rejects as scoring gets them, and the summary of the index.

    The index is in `folder`, what is staged in a folder inside.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with chunks_of(size):
        staged = staged_in(origin, folder / "staged")
    summary = build_index(staged, folder, files.link_or_copy)
    documents: list[Row] = []
    rejects: list[Row] = []
    for chunk, (home, inside, _) in enumerate(staged.chunks()):
        index = pq.read_table(index_file(folder, chunk))
        texts = dict(pairs(pq.read_table(texts_file(home, inside))))
        found = [texts.get(at) for at in range(index.num_rows)]
        index = index.append_column("text", pa.array(found, pa.large_string()))
        documents += plain_rows(index.filter(pc.is_in(index["disposition"], pa.array(DISPOSED))))
        rejects += read_rejects(folder, chunk).to_pylist()
    assert (len(documents), len(rejects)) == (summary.documents, summary.rejected)
    return documents, rejects, summary


def pairs(table: pa.Table) -> Iterator[tuple[Any, Any]]:
    return zip(table[0].to_pylist(), table[1].to_pylist(), strict=True)


def texts(rows: Sequence[Row]) -> list[str]:
    return [row["text"] for row in rows]


def reasons(rows: Sequence[Row]) -> list[str]:
    return [row["reason"] for row in rows]
