"""Arrow files and streams, Feather among them: a row a document."""

from typing import TYPE_CHECKING

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.prover import flaw_of
from nocturna.tasks.corpus.storage import local_path
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("arrow", ".arrow", ".feather")
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

    _prove(source, item)
    return columnar.has_rows(source, item)


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    from nocturna.tasks.corpus.columnar_rows import read_rows

    read_rows(source, item, rows)


def _prove(source: Source, item: InputFile) -> None:
    """Refuses a corrupt file before this process reads it.

    Raises:
        UsageError: naming it.
    """
    if is_remote(item.uri) or not item.size:
        return
    if flaw := flaw_of(local_path(source, item)):
        raise UsageError(
            f"{item.uri}: cannot be read as arrow ({flaw}); the file may be cut off or corrupt: "
            "write or copy it again"
        )
