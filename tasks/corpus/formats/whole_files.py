"""Files of any kind that are one text each: a document a file, named by its path in the corpus."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.whole_texts import no_columns, read_whole
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("files",)
ABOUT = "a file, of any ending"
PACKED = True
OWN_IDS = True


def columns(source: Source, item: InputFile) -> Absent:
    return no_columns(source, item)


def names(source: Source, item: InputFile) -> list[str]:
    return []


def has_rows(source: Source, item: InputFile) -> bool:
    return True


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    read_whole(source, item, rows)
