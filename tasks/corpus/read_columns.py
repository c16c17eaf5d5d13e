"""Rows of parquet and arrow inputs."""

from typing import Any

import pyarrow as pa

from nocturna.tasks.corpus.columnar import (
    is_text,
    iter_batches,
    path_in,
    plain,
    plain_type,
    schema_of,
    values_at,
)
from nocturna.tasks.corpus.columnar_types import is_clean
from nocturna.tasks.corpus.input_files import InputFile, Slice
from nocturna.tasks.corpus.kept import kept_values
from nocturna.tasks.corpus.row_kinds import Collector
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source


def read_columns(source: Source, item: InputFile, part: Slice, rows: Collector) -> None:
    """Reads a slice of a parquet or arrow input into `rows`; kept columns keep their types."""
    schema = schema_of(source, item)
    paths = {name: path_in(schema, name) for name in (source.text, source.id or "", *source.keep)}
    columns = [path[0] for path in paths.values() if path]
    rows.flush()
    row = part.first_row
    for batch in iter_batches(source, item, columns, part.start, part.stop):
        texts = _binary(_values(batch, paths[source.text]))
        ids = _id_texts(_values(batch, paths[source.id])) if source.id is not None else None
        in_bytes = ids is not None and _is_binary(_values(batch, paths[source.id or ""]))
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
                if in_bytes and isinstance(doc_id, bytes) and not is_clean(doc_id):
                    message = f"row {row}: the id is bytes with control characters, not a text"
                    rows.reject(row, None, "invalid_id", message, doc_id)
                elif rows.add(row, None, name, value):
                    taken.append(at)
            row += 1
        indices = pa.array(taken, pa.int64())
        kept = [_kept(batch, name, paths[name], item).take(indices) for name in source.keep]
        try:
            rows.flush(kept)
        except OverflowError:  # where Python has no such time
            raise _cannot_keep(item, ", ".join(source.keep), "a time out of range") from None


def _values(batch: pa.RecordBatch, path: tuple[str, ...] | None) -> pa.Array:
    return values_at(batch, path) if path else pa.nulls(batch.num_rows)


def _kept(
    batch: pa.RecordBatch, name: str, path: tuple[str, ...] | None, item: InputFile
) -> pa.Array:
    try:
        return kept_values(_values(batch, path))
    except pa.ArrowException as error:
        raise _cannot_keep(item, name, str(error).splitlines()[0][:200]) from None


def _cannot_keep(item: InputFile, name: str, reason: str) -> UsageError:
    return UsageError(
        f"{item.uri}: the kept column {name!r} holds what cannot be kept ({reason}); store it as "
        "text or leave it out of `keep`"
    )


def _binary(array: pa.Array) -> list[bytes | None]:
    return plain(array).cast(pa.large_binary()).to_pylist()


def _is_binary(array: pa.Array) -> bool:
    kind = plain_type(array.type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _id_texts(array: pa.Array) -> list[Any]:
    array = plain(array)
    if pa.types.is_fixed_size_binary(array.type):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    kind = pa.string() if not is_text(array.type) else pa.large_binary()
    return array.cast(kind).to_pylist()
