"""Rows of columnar files: their columns and their values."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.columnar import (
    is_text,
    iter_batches,
    path_in,
    plain,
    plain_type,
    schema_of,
    values_at,
)
from nocturna.tasks.corpus.columnar_types import (
    as_texts,
    check_types,
    is_bytes,
    is_clean,
    type_of,
)
from nocturna.tasks.corpus.columns import require, wanted_columns
from nocturna.tasks.corpus.composed import Composed
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.kept import kept_values
from nocturna.tasks.corpus.kept_types import is_utf8, texts_of
from nocturna.tasks.corpus.row_ids import MAX_ID
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_ROWS, _BYTES = 16_384, 8 << 20
"""Rows and characters that are held before they become a table."""
_TO_MICROSECONDS = {
    "s": (r"(:\d\d:\d\d)", r"\1.000000"),
    "ms": (r"(\.\d{3})", r"\1000"),
    "us": (r"\A", ""),
    "ns": (r"(\.\d{6})000", r"\1"),
}
"""What is another in the text of a moment, by the unit that it is stored in."""


def schema_columns(source: Source, item: InputFile) -> Absent:
    """The columns of an input by its schema."""
    schema = schema_of(source, item)
    there = {name for _, name in wanted_columns(source) if path_in(schema, name)}
    found = require(source, item, schema.names, there)
    check_types(source, item, schema)
    return found


def read_rows(source: Source, item: InputFile, rows: Collector) -> None:
    """Hands the rows of an input to a collector; kept columns keep their types."""
    if not item.size:
        return
    schema = schema_of(source, item)
    paths = {name: path_in(schema, name) for name in (source.text, source.id or "", *source.keep)}
    columns = [path[0] for path in paths.values() if path]
    named = source.parts.get("id", (source.id,)) if source.id is not None else ()
    in_bytes = any(is_bytes(type_of(schema, str(name))) for name in named)
    rows.flush()
    row, waiting = 1, _Waiting(rows)
    for batch in iter_batches(source, item, columns):
        if rows.text is None:
            texts = as_texts(item, source.text, _values(batch, paths[source.text]))
        else:
            texts = _texts_made(_made(rows.text, batch, paths, item))
        ids: pa.Array | list[Any] | None = None
        if source.id is not None:
            made = rows.id
            ids = _made(made, batch, paths, item) if made else _values(batch, paths[source.id])
        kept = [_kept(batch, name, paths[name], item) for name in rows.keep]
        if not waiting.take_all(row, texts, ids, kept):
            waiting.flush()
            taken = pa.array(_one_by_one(rows, row, texts, ids, in_bytes), pa.int64())
            rows.flush([values.take(taken) for values in kept])
        row += batch.num_rows
    waiting.flush()


class _Waiting:
    """Columns of rows that the collector has, until there are enough of them.

    Texts wait here too, as long as no row needs a second look.
    """

    def __init__(self, rows: Collector) -> None:
        self._rows = rows
        self._kept: list[list[pa.Array]] = [[] for _ in rows.keep]
        self._texts: list[pa.Array] = []
        self._count = self._bytes = 0

    def take_all(
        self, row: int, texts: pa.Array, ids: pa.Array | list[Any] | None, kept: list[pa.Array]
    ) -> bool:
        """Takes a batch at once if none of its rows needs a second look."""
        kind = plain_type(texts.type)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return False
        names: list[str] | None = None
        try:
            values = plain(texts).cast(pa.large_string())
            if values.null_count:
                return False
            values.validate(full=True)
            if ids is not None and (names := _plain_ids(ids)) is None:
                return False
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return False
        self._rows.hold_many(range(row, row + len(values)), names, None)
        self._texts.append(values)
        self._note(len(values), kept, values.nbytes)
        return True

    def _note(self, count: int, kept: list[pa.Array], size: int) -> None:
        for column, values in zip(self._kept, kept, strict=True):
            column.append(values)
        self._count += count
        self._bytes += size
        if self._count >= _ROWS or self._bytes > _BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands everything over."""
        columns = [pa.concat_arrays(column) for column in self._kept if column]
        self._rows.flush(columns, pa.concat_arrays(self._texts) if self._texts else None)
        self._kept, self._texts = [[] for _ in self._kept], []
        self._count = self._bytes = 0


def _plain_ids(ids: pa.Array | list[Any]) -> list[str] | None:
    """Ids that are texts or whole numbers; None if one of them needs a second look."""
    if isinstance(ids, list):
        return ids if all(isinstance(name, str) and _is_plain(name) for name in ids) else None
    kind = plain_type(ids.type)
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
        return None
    if (values := plain(ids)).null_count:
        return None
    names: list[str] = values.cast(pa.string()).to_pylist()
    return names if pa.types.is_integer(kind) or all(map(_is_plain, names)) else None


def _is_plain(name: str) -> bool:
    return 0 < len(name) <= MAX_ID and bool(name.strip())


def _one_by_one(
    rows: Collector,
    row: int,
    texts: pa.Array,
    ids: pa.Array | list[Any] | None,
    in_bytes: bool,
) -> list[int]:
    """Hands rows to a collector; returns which of them became documents.

    Args:
        in_bytes: whether the ids are bytes, or made of some.
    """
    taken = []
    names = _id_texts(ids) if isinstance(ids, pa.Array) else ids
    for at, text in enumerate(_binary(texts)):
        doc_id = names[at] if names is not None else None
        try:
            value = None if text is None else text.decode()
            name = doc_id.decode() if isinstance(doc_id, bytes) else doc_id
        except UnicodeDecodeError as error:
            message = f"row {row}: byte {error.start} of the value is not UTF-8"
            rows.reject(row, None, "encoding", message, error.object)
        else:
            if in_bytes and isinstance(name, str) and not is_clean(raw := name.encode()):
                message = f"row {row}: the id is bytes with control characters, not a text"
                rows.reject(row, None, "invalid_id", message, raw)
            elif rows.hold(row, name, value):
                taken.append(at)
        row += 1
    return taken


def _made(
    made: Composed,
    batch: pa.RecordBatch,
    paths: dict[str, tuple[str, ...] | None],
    item: InputFile,
) -> list[Any]:
    """The values that are made of several columns, row by row; bytes where one is no UTF-8."""
    columns = []
    for name in made.columns:
        values = _values(batch, paths[name])
        parts = _id_texts(values) if made.whole else _text_parts(item, name, values)
        columns.append(map(_decoded, parts))
    return [made.of(row) for row in zip(*columns, strict=True)]


def _texts_made(values: list[Any]) -> pa.Array:
    odd = any(isinstance(value, bytes) for value in values)
    return pa.array(values, pa.large_binary() if odd else pa.large_string())


def _text_parts(item: InputFile, name: str, array: pa.Array) -> list[Any]:
    """The values of a column that is part of a text."""
    if is_text(plain_type(array.type)):
        return _binary(array)
    texts = texts_of(kept_values(as_texts(item, name, array, is_part=True)))
    return [None if text == "nan" else text for text in texts]


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) and is_utf8(value) else value


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


def _id_texts(array: pa.Array) -> list[Any]:
    array = plain(array)
    if pa.types.is_fixed_size_binary(array.type):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    if pa.types.is_floating(array.type):
        return array.to_pylist()
    if pa.types.is_decimal(array.type):
        texts = array.cast(pa.string()).to_pylist()
        return [_whole(text, value) for text, value in zip(texts, array.to_pylist(), strict=True)]
    if is_text(array.type):
        return array.cast(pa.large_binary()).to_pylist()
    return _in_one_unit(array).to_pylist()


def _whole(text: str, value: Decimal | None) -> str:
    """A decimal as it is written, without the fraction or exponent of one that is whole."""
    return text if value is None or value != value.to_integral_value() else str(int(value))


def _in_one_unit(array: pa.Array) -> pa.Array:
    """Values as text: moments in microseconds, in whatever unit, if they have no finer part.

    Those of a time zone are in UTC, in whatever zone.
    """
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.tz:
        array = array.cast(pa.timestamp(kind.unit, "UTC"))
    texts = array.cast(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return pc.replace_substring_regex(texts, *_TO_MICROSECONDS[kind.unit], max_replacements=1)
    return texts
