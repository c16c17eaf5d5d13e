"""Files of any kind that are one text each: a document a file, named by its path in the corpus."""

from typing import TYPE_CHECKING

from nocturna.tasks.corpus.columns import require_none
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MAX_RECORD, InputFile
from nocturna.tasks.corpus.lines import BOM
from nocturna.tasks.corpus.streams import blocks, stream_encoding
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

NAMES = ("files",)
ABOUT = "a file, of any ending"
PACKED = True
OWN_IDS = True


def columns(source: Source, item: InputFile) -> Absent:
    require_none(source, item, "a file")
    return Absent()


def names(source: Source, item: InputFile) -> list[str]:
    return []


def has_rows(source: Source, item: InputFile) -> bool:
    return True


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    pieces, size = [], 0
    for block in blocks(source, item, rows.digest, whole=True):
        if size <= MAX_RECORD:
            pieces.append(block)
        size += len(block)
    if size > MAX_RECORD:
        message = f"the file is longer than {MAX_RECORD} bytes"
        rows.reject(1, 0, "file_too_long", message, pieces[0], size)
        return
    data = b"".join(pieces).removeprefix(BOM)
    try:
        text = data.decode(stream_encoding(source, whole=True))
    except UnicodeDecodeError as error:
        message = f"byte {error.start}: not valid {source.encoding}; set `encoding`"
        rows.reject(1, error.start, "encoding", message, data, size)
    else:
        rows.add(1, 0, item.name, text, [], size)
