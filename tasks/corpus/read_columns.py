"""Rows of parquet and arrow inputs."""

from typing import Any

import pyarrow as pa

from nocturna.tasks.corpus.columnar import is_text, iter_batches, plain
from nocturna.tasks.corpus.input_files import InputFile, Slice
from nocturna.tasks.corpus.kept import kept_values
from nocturna.tasks.corpus.row_kinds import Collector
from nocturna.tasks.job.job import Source


def read_columns(source: Source, item: InputFile, part: Slice, rows: Collector) -> None:
    """Reads a slice of a parquet or arrow input into `rows`; kept columns keep their types."""
    columns = [source.text, *([source.id] if source.id is not None else []), *source.keep]
    rows.flush()
    row = part.first_row
    for batch in iter_batches(source, item, columns, part.start, part.stop):
        texts = _binary(batch.column(source.text))
        ids = _id_texts(batch.column(source.id)) if source.id is not None else None
        taken = []
        for at, text in enumerate(texts):
            doc_id = ids[at] if ids is not None else None
            try:
                value = None if text is None else text.decode()
                name = doc_id.decode() if isinstance(doc_id, bytes) else doc_id
            except UnicodeDecodeError as error:
                message = f"row {row}: byte {error.start} of the value is not UTF-8"
                rows.reject(row, None, "encoding", message, error.object)
            else:
                if rows.add(row, None, name, value):
                    taken.append(at)
            row += 1
        indices = pa.array(taken, pa.int64())
        rows.flush([kept_values(batch.column(name)).take(indices) for name in source.keep])


def _binary(array: pa.Array) -> list[bytes | None]:
    return plain(array).cast(pa.large_binary()).to_pylist()


def _id_texts(array: pa.Array) -> list[Any]:
    array = plain(array)
    kind = pa.string() if not is_text(array.type) else pa.large_binary()
    return array.cast(kind).to_pylist()
