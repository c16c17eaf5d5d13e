"""JSON lines: an object a line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.json_rows import JsonRow, collect, columns_of, keys_of, row_of_line
from nocturna.tasks.corpus.lines import Line, is_blank, iter_lines
from nocturna.tasks.corpus.sniffing import is_json_document, refuse_lines_without_objects
from nocturna.tasks.corpus.streams import blocks, one_line_end, stream_encoding
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("jsonl", ".jsonl", ".ndjson")
ABOUT = "an object a line"
PACKED = True


def other(source: Source, item: InputFile) -> str | None:
    """The format that the content is of, where it is another one."""
    if not item.size:
        return None
    if source.format == "auto":
        refuse_lines_without_objects(source, item)
    return "json" if is_json_document(source, item) else None


def columns(source: Source, item: InputFile) -> Absent:
    return columns_of(source, item, _rows(source, item))


def names(source: Source, item: InputFile) -> list[str]:
    return keys_of(_rows(source, item))


def has_rows(source: Source, item: InputFile) -> bool:
    return item.size > 0 and next(_rows(source, item), None) is not None


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    from nocturna.tasks.corpus.quick_json import read_lines

    encoding = stream_encoding(source)

    def exactly(line: Line) -> None:
        if not is_blank(line):
            collect(source, [row_of_line(line, encoding)], rows)

    found = one_line_end(blocks(source, item, rows.digest))
    if encoding != "utf-8" or not read_lines(source, found, rows, exactly):
        for line in iter_lines(found):
            exactly(line)


def _rows(source: Source, item: InputFile) -> Iterator[JsonRow]:
    encoding = stream_encoding(source)
    for line in iter_lines(one_line_end(blocks(source, item))):
        if not is_blank(line):
            yield row_of_line(line, encoding)
