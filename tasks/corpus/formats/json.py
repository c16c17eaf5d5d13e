"""JSON documents: an array of objects, or objects one after the other."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.json_rows import JsonRow, collect, columns_of, keys_of, row_of_value
from nocturna.tasks.corpus.jsonstream import iter_values
from nocturna.tasks.corpus.sniffing import is_json_lines
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector
    from nocturna.tasks.corpus.storage import Digest

NAMES = ("json", ".json")
ABOUT = "an element of an array, or an object of several"
PACKED = True


def other(source: Source, item: InputFile) -> str | None:
    """The format that the content is of, where it is another one."""
    return "jsonl" if item.size and is_json_lines(source, item) else None


def columns(source: Source, item: InputFile) -> Absent:
    return columns_of(source, item, _rows(source, item))


def names(source: Source, item: InputFile) -> list[str]:
    return keys_of(_rows(source, item))


def has_rows(source: Source, item: InputFile) -> bool:
    return item.size > 0 and next(_rows(source, item), None) is not None


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    collect(source, _rows(source, item, rows.digest), rows)


def _rows(source: Source, item: InputFile, digest: "Digest | None" = None) -> Iterator[JsonRow]:
    return map(row_of_value, iter_values(blocks(source, item, digest, whole=True), item.uri))
