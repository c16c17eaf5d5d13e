"""Rows of files whose fields are separated by a character: their header and their values."""

from itertools import islice
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.columns import require
from nocturna.tasks.corpus.delimited import Record, iter_records
from nocturna.tasks.corpus.dialect import is_separator_line, refuse_null, written
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MISSING, InputFile
from nocturna.tasks.corpus.lines import iter_lines
from nocturna.tasks.corpus.sniffing import begins_with_object
from nocturna.tasks.corpus.streams import line_blocks, stream_encoding
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector


def other(source: Source, item: InputFile) -> str | None:
    """The format that the content is of, where it is another one."""
    lines = source.format == "auto" and item.size and begins_with_object(source, item)
    return "jsonl" if lines else None


def columns(source: Source, item: InputFile) -> Absent:
    """The columns of an input by its header."""
    there = names(source, item)
    hint = ""
    if len(there) == 1 and source.delimiter is None:
        hint = "; if they are separated by another character, set --delimiter; if this is a title, "
        hint += "delete the lines above the header"
    return require(source, item, there, set(there), hint)


def has_rows(source: Source, item: InputFile) -> bool:
    """Whether there is a record behind the header."""
    if not item.size:
        return False
    found = written(source, item)
    records = iter_records(
        iter_lines(line_blocks(source, item)), found.dialect, stream_encoding(source)
    )
    return next(islice(records, found.before, None), None) is not None


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    """Hands the records of an input to a collector."""
    encoding, found = stream_encoding(source), written(source, item)
    header = names(source, item)
    there = set(header)
    text_at, id_at, *keep_at = (
        header.index(name) if name in there else None
        for name in (source.text, source.id, *source.keep)
    )

    def exactly(record: Record) -> None:
        fields, number, offset = record.fields, record.number, record.offset
        size = record.end - offset
        if record.problem:
            reason, message = record.problem
            if b'\\"' in record.raw and source.escape is None:
                message += "; if quotes are written after a backslash, set --escape backslash"
            rows.reject(number, offset, reason, f"line {number}: {message}", record.raw, size)
        elif _undecodable(fields):
            message = f"line {number}, byte {offset}: not valid {encoding}; set `encoding`"
            rows.reject(number, offset, "encoding", message, record.raw, size)
        elif fields == header or is_separator_line(record.raw):
            message = f"line {number}: the header again, as in files that were joined"
            rows.reject(number, offset, "header_again", message, record.raw, size)
        elif len(header) > 1 and all(len(f) > 1 and not f.strip("-") for f in fields):
            message = f"line {number}: dashes in each column, as below a header"
            rows.reject(number, offset, "header_again", message, record.raw, size)
        elif len(fields) != len(header):
            message = f"line {number}: {len(fields)} fields where the header has {len(header)}"
            rows.reject(number, offset, "wrong_field_count", message, record.raw, size)
        else:
            refuse_null(source, item, record)
            if fields[text_at or 0] in there and set(fields) == there and len(there) > 1:
                raise UsageError(
                    f"{item.uri}, line {number}: another header, with the columns in another "
                    "order: the file is several that were joined; split it there"
                )
            given = [
                None if at in record.nulls or value in source.nulls else value
                for at, value in enumerate(fields)
            ]
            doc_id, text, *kept = (
                MISSING if at is None else given[at] for at in (id_at, text_at, *keep_at)
            )
            rows.add(number, offset, doc_id, text, kept, size)

    stored = line_blocks(source, item, rows.digest)
    if encoding == "utf-8" and text_at is not None and (id_at is not None or source.id is None):
        from nocturna.tasks.corpus.quick_csv import Places, read_delimited

        places = Places(header, text_at, id_at, keep_at, frozenset(source.nulls))
        read_delimited(stored, found.dialect, found.before, places, rows, exactly)
        return
    for record in islice(
        iter_records(iter_lines(stored), found.dialect, encoding), found.before, None
    ):
        exactly(record)


def names(source: Source, item: InputFile) -> list[str]:
    """The column names of an input; none of an empty one.

    Raises:
        UsageError: if the first record cannot be read.
    """
    first = written(source, item).header
    if first is None:
        return []
    if first.problem or _undecodable(first.fields):
        reason = first.problem[1] if first.problem else f"it is not {source.encoding}"
        raise UsageError(f"{item.uri}, line {first.number}: the header cannot be read: {reason}")
    return first.fields


def _undecodable(fields: list[str]) -> bool:
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return True
    return False
