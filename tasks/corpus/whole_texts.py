"""Files that are one document each, named by their path in the corpus."""

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.columns import require_none
from nocturna.tasks.corpus.decoding import is_utf8
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MAX_RECORD, MISSING, InputFile
from nocturna.tasks.corpus.lines import BOM
from nocturna.tasks.corpus.streams import blocks, stream_encoding
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

_LATIN = {"iso8859-1", "ascii"}
"""What pages say that are in cp1252, which holds all of it."""


def columns(source: Source, item: InputFile) -> Absent:
    """Refuses columns, of which whole files have none."""
    return require_none(source, item, "a file")


def names(source: Source, item: InputFile) -> list[str]:
    """No columns."""
    return []


def has_rows(source: Source, item: InputFile) -> bool:
    """A file is a document, also an empty one."""
    return True


def read_whole(
    source: Source,
    item: InputFile,
    rows: "Collector",
    plain: Callable[[str], str] = str,
    declared: Callable[[bytes], str | None] = lambda data: None,
) -> None:
    """Hands a file to a collector, as one document.

    Args:
        plain: makes the document of the text of the file.
        declared: the encoding that the file itself says it is in; asked where the job names none
            and it is not UTF-8.
    """
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
        told = in_encoding(data, declared(data)) if is_utf8(source.encoding) else None
        if told is None:
            message = f"byte {error.start}: not valid {source.encoding}; set `encoding`"
            rows.reject(1, error.start, "encoding", message, data, size)
            return
        text = told
    rows.add(1, 0, item.name, plain(text), [MISSING] * len(source.keep), size)


def in_encoding(data: bytes, encoding: str | None) -> str | None:
    """A text in the encoding that it says; None where that is none, or not its own."""
    try:
        name = codecs.lookup(encoding or "").name
        return data.decode("cp1252" if name in _LATIN else name)
    except (LookupError, UnicodeDecodeError):
        return None
