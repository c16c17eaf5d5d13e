"""Comma-separated values, and those that another character separates: a record a row."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.delimited_rows import has_records, header_columns, read_records
from nocturna.tasks.corpus.formats import Columns
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("csv", ".csv")
ABOUT = "a record behind the header"
PACKED = True


def columns(source: Source, item: InputFile) -> Columns:
    return header_columns(source, item)


def has_rows(source: Source, item: InputFile) -> bool:
    return has_records(source, item)


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    read_records(source, item, rows)
