"""Web archives: the texts of a WET file, and records of plain text in a WARC file."""

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nocturna.tasks.corpus.columns import require
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MAX_RECORD, MISSING, InputFile
from nocturna.tasks.corpus.lines import BOM
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.corpus.whole_texts import in_encoding
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector
    from nocturna.tasks.corpus.storage import Digest

NAMES = ("warc", ".warc", ".wet")
ABOUT = "a record of plain text (`text`), with its headers as columns, such as `WARC-Target-URI`"
PACKED = True

_HEADERS = (
    *("WARC-Record-ID", "WARC-Target-URI", "WARC-Date", "WARC-Identified-Content-Language"),
    *("WARC-Refers-To", "WARC-Block-Digest", "Content-Type", "Content-Length"),
)
_AS_NAMED = {name.lower(): name for name in _HEADERS}
_DOCUMENTS = ("conversion", "resource")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def columns(source: Source, item: InputFile) -> Absent:
    return require(source, item, ("text", *_HEADERS), {"text", *_HEADERS})


def names(source: Source, item: InputFile) -> list[str]:
    return list(_HEADERS)


def has_rows(source: Source, item: InputFile) -> bool:
    return item.size > 0 and any(
        kind in (*_DOCUMENTS, "response") for kind, *_ in _records(source, item)
    )


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    for number, (kind, headers, content) in enumerate(_records(source, item, rows.digest), 1):
        if kind not in (*_DOCUMENTS, "response"):
            continue
        mime = headers.get("Content-Type") or "text/plain"
        plain = mime.lower().startswith("text/plain")
        if kind == "response" or not plain:
            message = f"record {number}: {kind} of {mime}, no plain text"
            rows.reject(number, None, "not_text", message, content, len(content))
            continue
        if len(content) > MAX_RECORD:
            message = f"record {number}: longer than {MAX_RECORD:,} bytes"
            rows.reject(number, None, "record_too_long", message, content, len(content))
            continue
        try:
            text = _decoded(content, mime)
        except UnicodeDecodeError as error:
            message = f"record {number}, byte {error.start}: not valid {error.encoding}"
            rows.reject(number, None, "encoding", message, content, len(content))
            continue
        row: dict[str, Any] = {**headers, "text": text}
        doc_id, text, *kept = (
            row.get(name or "", MISSING) for name in (source.id, source.text, *source.keep)
        )
        rows.add(number, None, doc_id, text, kept, len(content))


def _decoded(content: bytes, mime: str) -> str:
    """The text of a record: UTF-8, unless it is not and its type says what it is.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    try:
        text = content.removeprefix(BOM).decode()
    except UnicodeDecodeError:
        text = "\0"
    found = _CHARSET.search(mime) if "\0" in text else None
    told = in_encoding(content, found[1]) if found else None
    return content.removeprefix(BOM).decode() if told is None else told


def _records(
    source: Source, item: InputFile, digest: "Digest | None" = None
) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Type, headers and content of each record, the content cut after MAX_RECORD bytes and one.

    Raises:
        UsageError: it is no web archive, or was cut off.
    """
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    stream = io.BufferedReader(_Blocks(blocks(source, item, digest)), 1 << 16)
    try:
        for record in ArchiveIterator(stream, no_record_parse=True):
            given = record.rec_headers.headers  # in any case
            headers = {_AS_NAMED.get(name.lower(), name): value for name, value in given}
            content = record.raw_stream.read(MAX_RECORD + 1)
            yield str(record.rec_type), headers, content
    except (ArchiveLoadFailed, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{item.uri}: cannot be read as warc ({reason}); copy the file again"
        ) from None


class _Blocks(io.RawIOBase):
    """Blocks as a stream."""

    def __init__(self, found: Iterator[bytes]) -> None:
        self._found, self._rest = found, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and (block := next(self._found, None)) is not None:
            self._rest = block
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
