"""Whether an input has the columns that a source names, said before anything is scored."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.read_csv import csv_header
from nocturna.tasks.corpus.read_json import json_rows
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

if TYPE_CHECKING:
    import pyarrow as pa

HEAD_ROWS = 250
_SHOWN = 30


def check_columns(source: Source, item: InputFile, head: int | None = None) -> None:
    """Checks the columns of an input that has rows.

    A JSON column counts as missing if none of the first rows has it.

    Args:
        head: so many rows are the first ones; HEAD_ROWS if none.

    Raises:
        UsageError: naming the file, the column and the columns that exist.
    """
    if item.format in ("text", "files"):
        wanted = [*([source.id] if source.id is not None else []), *source.keep]
        if wanted:
            kind = "a line" if item.format == "text" else "a file"
            raise UsageError(
                f"{item.uri}: no column {wanted[0]!r}: here {kind} is a document without columns; "
                "drop `id` and `keep` or set `format`"
            )
    elif item.format in ("csv", "tsv"):
        _require(source, item, csv_header(source, item))
    elif item.format in ("parquet", "arrow"):
        from nocturna.tasks.corpus.columnar import schema_of

        schema = schema_of(source, item)
        _require(source, item, schema.names)
        _check_types(source, item, schema)
    else:
        _check_keys(source, item, head or HEAD_ROWS)


def _wanted(source: Source) -> list[tuple[str, str]]:
    ids = [("id", source.id)] if source.id is not None else []
    return [("text", source.text), *ids, *(("keep", name) for name in source.keep)]


def _require(source: Source, item: InputFile, names: list[str]) -> None:
    for role, name in _wanted(source):
        if name not in names:
            raise UsageError(_missing(item, role, name, names))
        if names.count(name) > 1:
            raise UsageError(
                f"{item.uri}: {names.count(name)} columns are named {name!r}; rename all but one"
            )


def _check_keys(source: Source, item: InputFile, head: int) -> None:
    seen: dict[str, None] = {}
    objects = False
    for row in islice(json_rows(source, item), head):
        if row.value is not None:
            objects = True
            seen.update(dict.fromkeys(row.value))
            if all(name in seen for _, name in _wanted(source)):
                return
    if objects:
        role, name = next(pair for pair in _wanted(source) if pair[1] not in seen)
        raise UsageError(_missing(item, role, name, seen))


def _check_types(source: Source, item: InputFile, schema: "pa.Schema") -> None:
    import pyarrow as pa

    from nocturna.tasks.corpus.columnar import is_text, plain_type

    text = plain_type(schema.field(source.text).type)
    if not (is_text(text) or pa.types.is_null(text)):
        raise UsageError(
            f"{item.uri}: the text column {source.text!r} holds {text}, not text; "
            "name another column with `text`"
        )
    if source.id is None:
        return
    kind = plain_type(schema.field(source.id).type)
    if pa.types.is_nested(kind) or pa.types.is_floating(kind):
        raise UsageError(
            f"{item.uri}: the id column {source.id!r} holds {kind}; ids are texts or whole numbers"
        )


def _missing(item: InputFile, role: str, name: str, names: Iterable[str]) -> str:
    shown = ", ".join(repr(other[:80]) for other in list(names)[:_SHOWN])
    return f"{item.uri}: no column {name!r} for `{role}`; the columns are {shown or 'none'}"
