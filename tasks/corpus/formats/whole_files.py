"""Files of any kind that are one text each: a document a file, named by its path in the corpus."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.whole_texts import columns, has_rows, names, read_whole
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

__all__ = ["ABOUT", "NAMES", "OWN_IDS", "PACKED", "columns", "has_rows", "names", "read"]

NAMES = ("files",)
ABOUT = "a file, of any ending"
PACKED = True
OWN_IDS = True


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    read_whole(source, item, rows)
