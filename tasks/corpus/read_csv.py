"""Rows of csv and tsv inputs."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.delimited import iter_records
from nocturna.tasks.corpus.dialect import is_separator_line, written
from nocturna.tasks.corpus.input_files import InputFile, Slice
from nocturna.tasks.corpus.lines import iter_lines
from nocturna.tasks.corpus.streams import byte_range, stream_encoding
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.row_kinds import Collector


def csv_header(source: Source, item: InputFile) -> list[str]:
    """The column names of a CSV or TSV input; none of an empty one.

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


def read_csv(source: Source, item: InputFile, part: Slice, rows: "Collector") -> None:
    """Reads a slice of a csv or tsv input into `rows`."""
    encoding = stream_encoding(source, item)
    header = csv_header(source, item)
    names = set(header)
    text_at = header.index(source.text)
    id_at = header.index(source.id) if source.id is not None else None
    keep_at = [header.index(name) if name in header else None for name in source.keep]
    blocks = byte_range(source, item, part.start, part.stop)
    lines = iter_lines(blocks, part.start, part.first_row)
    for record in iter_records(lines, written(source, item).dialect, encoding):
        fields, number, offset = record.fields, record.number, record.offset
        if record.problem:
            reason, message = record.problem
            if b'\\"' in record.raw and source.escape is None:
                message += "; if quotes are written after a backslash, set --escape backslash"
            rows.reject(number, offset, reason, f"line {number}: {message}", record.raw)
        elif _undecodable(fields):
            message = f"line {number}, byte {offset}: not valid {encoding}; set `encoding`"
            rows.reject(number, offset, "encoding", message, record.raw)
        elif fields == header or is_separator_line(record.raw):
            message = f"line {number}: the header again, as in files that were joined"
            rows.reject(number, offset, "header_again", message, record.raw)
        elif len(fields) != len(header):
            message = f"line {number}: {len(fields)} fields where the header has {len(header)}"
            rows.reject(number, offset, "wrong_field_count", message, record.raw)
        else:
            if fields[text_at] in names and set(fields) == names and len(names) > 1:
                raise UsageError(
                    f"{item.uri}, line {number}: another header, with the columns in another "
                    "order: the file is several that were joined; split it there"
                )
            doc_id = fields[id_at] if id_at is not None else None
            kept = [None if at is None else fields[at] for at in keep_at]
            rows.add(number, offset, doc_id, fields[text_at], kept)


def _undecodable(fields: list[str]) -> bool:
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return True
    return False
