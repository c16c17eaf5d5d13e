"""How a CSV or TSV input is written, told by its first bytes and what the source says of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nocturna.tasks.corpus.copied import NULL
from nocturna.tasks.corpus.delimited import (
    DELIMITERS,
    Dialect,
    Record,
    iter_records,
)
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.lines import BOM, iter_lines
from nocturna.tasks.corpus.streams import line_head, stream_encoding
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

_HEAD_BYTES = 1 << 20
_OTHERS = (",", ";", "\t", "|")
_SEP = re.compile(rb'"?sep=(.)"?\r?', re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """The dialect of an input and its header.

    Attributes:
        before: records before the first row, the header among them.
        header: None of an input without records.
    """

    dialect: Dialect
    header: Record | None
    before: int


def is_separator_line(data: bytes) -> bool:
    """Whether a line is the `sep=;` that a spreadsheet puts at the top of a file."""
    return bool(_SEP.fullmatch(data))


@lru_cache
def written(source: Source, item: InputFile) -> Written:
    """The dialect and the header of a CSV or TSV input.

    The delimiter is that of the source, or of a first line `sep=;`, or the one by which the header
    has the columns that the source names. A TSV whose fields begin with a quotation mark that does
    not quote them is read without quoting.

    Raises:
        UsageError: it looks escaped by backslashes and the source does not say how.
    """
    start = line_head(source, item, _HEAD_BYTES)
    encoding = stream_encoding(source)
    sep = _SEP.fullmatch(start.removeprefix(BOM).partition(b"\n")[0])
    before = 2 if sep else 1
    usual = source.delimiter or (sep[1].decode("latin-1") if sep else DELIMITERS[item.format])
    options = Dialect(
        usual,
        escaped=source.escape == "backslash",
        literal=source.quotes == "literal",
        copied=source.escape == "postgres",
    )
    given = source.delimiter is not None or sep is not None
    tried = [replace(options, delimiter=other) for other in (() if given else _OTHERS)]
    for dialect in (options, *tried):
        header = _record(start, dialect, encoding, before - 1)
        if header is not None and _names_all(source, header.fields):
            break
    else:
        dialect, header = options, _record(start, options, encoding, before - 1)
    if header is None or header.problem:
        return Written(dialect, header, before)
    columns = len(header.fields)
    if dialect.copied:
        return Written(dialect, header, before)
    if NULL.encode() in start:
        for record in _records(start, dialect, encoding):
            refuse_null(source, item, record)
    if source.quotes is None and (dialect.delimiter == "\t" or b'"' in start):
        dialect = _with_quotes(source, start, dialect, encoding, header.fields)
    if source.escape is None and b'\\"' in start and not dialect.literal:
        _refuse_backslashes(item, start, dialect, encoding, columns)
    return Written(dialect, header, before)


def _names_all(source: Source, fields: Sequence[str]) -> bool:
    return all(name in fields for name in (source.text, source.id) if name is not None)


def _records(start: bytes, dialect: Dialect, encoding: str) -> Iterator[Record]:
    return iter_records(iter_lines([start]), dialect, encoding)


def _record(start: bytes, dialect: Dialect, encoding: str, number: int) -> Record | None:
    for at, record in enumerate(_records(start, dialect, encoding)):
        if at == number:
            return record
    return None


def _with_quotes(
    source: Source, start: bytes, dialect: Dialect, encoding: str, header: Sequence[str]
) -> Dialect:
    """A dialect that says whether quotation marks quote, by what fits the first rows.

    Where both readings fit, lines inside quoted fields that look like rows of their own tell.
    """
    as_text, columns = replace(dialect, literal=True), len(header)
    quoting, literal = (_fit(start, one, encoding, columns) for one in (dialect, as_text))
    tabs = dialect.delimiter == "\t"
    if tabs and literal.bad < quoting.bad:
        return as_text
    if literal.bad == quoting.bad == 0 and quoting.inside and columns > 1:
        at = header.index(source.id) if source.id in header else 0
        rows = [line.decode(encoding, "replace") for line in quoting.inside]
        cells = [[part.strip(' \r"') for part in row.split(dialect.delimiter)] for row in rows]
        like = all(len(row) == columns and all(row) for row in cells)
        like = like and _are_ids([row[at] for row in cells], [row[at] for row in quoting.rows])
        if like and (tabs or not _closed(start, dialect, encoding)):
            return as_text
    # a tab is rare in texts: if nothing is quoted over lines here, a line with as many is a row
    return replace(dialect, tabs=columns - 1) if tabs and not quoting.inside else dialect


def _are_ids(inside: list[str], ids: list[str]) -> bool:
    """Whether values are written as the ids of a file are, and none of them is one of those."""
    shapes = {_shape(value) for value in ids}
    return all(value not in ids and _shape(value) in shapes for value in inside)


def _shape(value: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", value))


def _closed(start: bytes, dialect: Dialect, encoding: str) -> bool:
    """Whether a field is quoted on a line of its own, so that quotation marks do quote."""
    fields = start.decode(encoding, "replace").replace("\r", "").replace("\n", dialect.delimiter)
    return any(
        len(field) > 1 and field.startswith('"') and field.endswith('"')
        for field in fields.split(dialect.delimiter)
    )


def refuse_null(source: Source, item: InputFile, record: Record) -> None:
    """Refuses a record with a field that databases write for null, if it is not said what it is.

    Raises:
        UsageError: naming the options.
    """
    said = source.escape in ("doubled", "postgres") or NULL in source.nulls
    if not said and NULL in record.fields:
        raise UsageError(
            f"{item.uri}, line {record.number}: a field is {NULL}, which databases write for "
            "null; set --escape postgres if nothing is quoted, so that backslashes escape, else "
            f"--nulls '{NULL}' to read it so, or --escape doubled to take it as text"
        )


def _refuse_backslashes(
    item: InputFile, start: bytes, dialect: Dialect, encoding: str, columns: int
) -> None:
    escaped = replace(dialect, escaped=True)
    if _fit(start, dialect, encoding, columns).bad and not (
        _fit(start, escaped, encoding, columns).bad
    ):
        raise UsageError(
            f"{item.uri}: quotes in its fields are written after a backslash, as Spark does; set "
            "--escape backslash, or --escape doubled to put those rows aside"
        )


@dataclass(frozen=True)
class _Fit:
    """How a dialect fits: rows that are broken, the others, and lines inside quoted fields."""

    bad: int
    rows: list[list[str]]
    inside: list[bytes]


def _fit(start: bytes, dialect: Dialect, encoding: str, columns: int) -> _Fit:
    records = list(_records(start, dialect, encoding))[1:]
    if len(start) == _HEAD_BYTES:
        records = records[:-1]
    rows = [r.fields for r in records if not r.problem and len(r.fields) == columns]
    inside = [
        line
        for record in records
        if not record.problem
        for line in start[record.offset : record.end].rstrip(b"\r\n").split(b"\n")[1:]
        if line.strip()
    ]
    return _Fit(len(records) - len(rows), rows, inside)
