"""Parquet files: a row a document."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("parquet", ".parquet", ".pq")
ABOUT = "a row; a column inside a struct by its path, `a.b`"
PACKED = False


def columns(source: Source, item: InputFile) -> Absent:
    from nocturna.tasks.corpus.columnar_rows import schema_columns

    return schema_columns(source, item)


def names(source: Source, item: InputFile) -> list[str]:
    from nocturna.tasks.corpus import columnar

    return list(columnar.schema_of(source, item).names)


def has_rows(source: Source, item: InputFile) -> bool:
    from nocturna.tasks.corpus import columnar

    return columnar.has_rows(source, item)


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    from nocturna.tasks.corpus.columnar_rows import read_rows

    read_rows(source, item, rows)
