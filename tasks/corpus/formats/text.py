"""Plain text: a document a line."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.columns import require_none
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MISSING, InputFile
from nocturna.tasks.corpus.lines import is_blank, iter_lines, not_decoded, too_long
from nocturna.tasks.corpus.sniffing import refuse_json_as_text
from nocturna.tasks.corpus.streams import blocks, one_line_end, stream_encoding
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("text", ".txt", ".text")
ABOUT = "a line"
PACKED = True


def other(source: Source, item: InputFile) -> str | None:
    """None: what is no text is refused."""
    if source.format == "auto" and item.size:
        refuse_json_as_text(source, item)
    return None


def columns(source: Source, item: InputFile) -> Absent:
    return require_none(source, item, "a line")


def names(source: Source, item: InputFile) -> list[str]:
    return []


def has_rows(source: Source, item: InputFile) -> bool:
    lines = iter_lines(one_line_end(blocks(source, item)))
    return any(not is_blank(line) for line in lines)


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    encoding = stream_encoding(source)
    for line in iter_lines(one_line_end(blocks(source, item, rows.digest))):
        if is_blank(line):
            continue
        size = line.end - line.offset
        if not line.whole:
            rows.reject(line.number, line.offset, *too_long(line), line.data, size)
            continue
        try:
            text = line.data.removesuffix(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            problem = not_decoded(line, error, encoding)
            rows.reject(line.number, line.offset, *problem, line.data, size)
        else:
            rows.add(line.number, line.offset, None, text, [MISSING] * len(source.keep), size)
