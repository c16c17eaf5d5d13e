"""What the first bytes of an input tell: JSON lines or one JSON document, and wrong encodings."""

import codecs
import json
import logging
import re

from nocturna.tasks.addresses import redact
from nocturna.tasks.corpus.decoding import is_ascii_based, is_utf8, needs_mark
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.jsonrows import Ambiguous, parse
from nocturna.tasks.corpus.lines import BOM
from nocturna.tasks.corpus.streams import BLOCK, head, line_head, stored_head
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source
from nocturna.tasks.pointers import START, pointer_of

log = logging.getLogger(__name__)

_START = 4096
_ZIP = "a zip archive or a spreadsheet"
_OLD = "an old Excel, Word or Outlook file"
_PAGES = (b"<!doctype", b"<html", b"<?xml")
_BINARY = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"PK\x03\x04": _ZIP,
    b"%PDF": "a PDF",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"SQLite format 3": "an SQLite database",
    b"FEA1": "Feather of version 1",
    b"{\\rtf": "RTF",
    b"\xd0\xcf\x11\xe0": _OLD,
    b"\x89HDF": "HDF5",
    b"$FL2": "SPSS data",
    b"<stata_dta>": "Stata data",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
}
_LINE = 1 << 20
_ARRAY = re.compile(rb'\[\s*\{\s*"')
_ROWS = (b"{", b"[")
"""How a row in JSON begins, and an array of them."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_json_lines(source: Source, item: InputFile) -> bool:
    """Whether a .json file holds an object a line rather than an array or one spread-out object."""
    start = head(source, item, _LINE, whole=True).removeprefix(BOM).lstrip()
    if not start.startswith(b"{"):
        return False
    line, ended, rest = start.partition(b"\n")
    if _is_object(line):
        return True
    if _are_objects(line):
        return False
    if not ended:
        return len(start) >= _LINE - len(BOM)
    # a broken first line costs one row, if the second one shows that rows are lines
    return not line.rstrip().endswith((b"{", b"[", b",", b":")) and _is_object(
        rest.partition(b"\n")[0]
    )


def is_json_document(source: Source, item: InputFile) -> bool:
    """Whether a .jsonl file holds one array of objects, or objects that are spread over lines."""
    start = line_head(source, item, _START).removeprefix(BOM).lstrip()
    if not start.startswith(_ROWS) or _is_object(start.partition(b"\n")[0]):
        return False
    start = line_head(source, item, _LINE).removeprefix(BOM).lstrip()
    if start.startswith(b"["):
        return _is_array(start)
    text = start.decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except ValueError:
        return False
    return "\n" in text[:end] or _are_objects(start.partition(b"\n")[0])


def _are_objects(line: bytes) -> bool:
    """Whether a line begins with an object and another one."""
    text = line.decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip(" \t,").startswith("{")


def _is_array(start: bytes) -> bool:
    """Whether what begins with a bracket is one array of objects, not a row that is an array."""
    line, ended, rest = start.partition(b"\n")
    try:
        rows = parse(line.decode("utf-8", "replace"))
    except Ambiguous:
        return True
    except ValueError:
        return bool(ended) or len(start) >= _LINE - len(BOM)
    return bool(rows) and not rest.strip() and all(isinstance(row, dict) for row in rows)


def refuse_stand_in(source: Source, path: str, format: str, start: bytes) -> None:
    """Refuses a file that stands in the place of data, or that is of quite another format.

    Args:
        start: its first START bytes, as they are stored.

    Raises:
        UsageError: one line that says what it is and how to get the data.
    """
    shown = redact(path)
    if pointer := pointer_of(start):
        what, way = pointer
        raise UsageError(f"{shown}: is a {what}, not the data; {way} fetches it")
    if _is_whole(format) or source.format == "text":
        return
    begin = start.removeprefix(BOM).lstrip().lower()
    if begin.startswith(_PAGES):
        raise UsageError(
            f"{shown}: holds a web page or XML, perhaps an error in place of the data; fetch it "
            "again, or set --format html to read its text"
        )
    known = formats()
    kind = next((kind for mark, kind in _BINARY.items() if start.startswith(mark)), None)
    if start.startswith(getattr(known.get(format), "MAGIC", ()) or (b"\0" * START,)):
        return
    if kind is not None and kind != format:
        way = f"rename it or set --format {kind}" if kind in known else "store it as JSON lines"
        if kind in (_ZIP, _OLD):
            endings = ".xls" if kind == _OLD else ".zip, .xlsx, .ods"
            way = f"rename it ({endings}) or set --format spreadsheet"
        raise UsageError(f"{shown}: holds {kind}, not {format}; {way}")


def _is_whole(format: str) -> bool:
    """Whether a file is one text, whatever that looks like."""
    return bool(getattr(formats()[format], "OWN_IDS", False))


def begins_with_object(source: Source, item: InputFile) -> bool:
    """Whether the first line of an input is a JSON object, as no line of text or header is."""
    if not head(source, item, _START).removeprefix(BOM).lstrip().startswith(b"{"):
        return False
    start = head(source, item, _LINE).removeprefix(BOM).lstrip()
    return _is_object(start.partition(b"\n")[0])


def refuse_lines_without_objects(source: Source, item: InputFile) -> None:
    """Refuses a file of JSON lines of whose first lines none begins as JSON rows do.

    Raises:
        UsageError: with its first line.
    """
    start = line_head(source, item, _START).removeprefix(BOM).lstrip()
    if not start or start.startswith(_ROWS):
        return
    lines = line_head(source, item, _LINE).removeprefix(BOM).lstrip().split(b"\n")
    if not any(line.lstrip().startswith(_ROWS) for line in lines):
        first = lines[0][:60].decode("utf-8", "replace").strip()
        raise UsageError(
            f"{item.uri}: holds no JSON objects: its first line is {first!r}; rename it, or set "
            "--format to what it is, such as csv"
        )


def refuse_json_as_text(source: Source, item: InputFile) -> None:
    """Refuses JSON lines under an ending of plain text, unless `format` says that they are texts.

    Raises:
        UsageError: naming the options.
    """
    if begins_with_object(source, item) or _begins_with_json(source, item):
        raise UsageError(
            f"{item.uri}: holds JSON objects, not lines of text; set --format jsonl to read them "
            "as rows, or --format text to score them as they are"
        )


def _begins_with_json(source: Source, item: InputFile) -> bool:
    """Whether an input begins with an object that is spread over lines, or an array of objects."""
    if not head(source, item, START).removeprefix(BOM).lstrip().startswith(_ROWS):
        return False
    start = head(source, item, _LINE, whole=True).removeprefix(BOM).lstrip()
    if len(start) >= _LINE - len(BOM) and _ARRAY.match(start):
        return True
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(start.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    if isinstance(found, dict):
        return bool(found)
    return bool(found) and all(isinstance(row, dict) for row in found)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parse(line.decode("utf-8", "replace")), dict)
    except Ambiguous:
        return True
    except ValueError:
        return False


def check_encoding(source: Source, item: InputFile) -> None:
    """Checks that the start of a text input does not contradict the encoding of the source.

    Raises:
        UsageError: if the encoding is unknown, or a byte order mark or NUL bytes tell another one.
    """
    if not formats()[item.format].PACKED:
        return
    is_told = not is_ascii_based(source.encoding) and not needs_mark(source.encoding)
    if is_told or not item.size:
        return
    raw = stored_head(source, item, _START)
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            if encoding == codecs.lookup(source.encoding).name:
                return
            raise UsageError(
                f"{item.uri}: starts with the byte order mark of {encoding}, but the encoding is "
                f"{source.encoding}; set `encoding` to {encoding}"
            )
    if raw and needs_mark(source.encoding):
        raise UsageError(f"{item.uri}: {_without_mark(codecs.lookup(source.encoding).name, raw)}")
    if raw.startswith(BOM) and not is_utf8(source.encoding):
        raise UsageError(
            f"{item.uri}: starts with the byte order mark of utf-8, but the encoding is "
            f"{source.encoding}; set `encoding` to utf-8"
        )
    if not _is_whole(item.format) and raw.count(0) * 4 > len(raw):
        raise UsageError(
            f"{item.uri}: more than a quarter of its first bytes are NUL, as in utf-16 without a "
            "byte order mark; set `encoding` to utf-16-le or utf-16-be"
        )


def tell_utf8(source: Source, item: InputFile) -> None:
    """Says of a text input that its bytes are UTF-8, where the job says that they are not."""
    plain = is_utf8(source.encoding) or not is_ascii_based(source.encoding)
    if plain or not item.size or not formats()[item.format].PACKED:
        return
    start = stored_head(source, item, BLOCK)
    if not start.isascii() and _begins_as_utf8(start):
        log.warning(
            "%s: its bytes are valid utf-8 and are read as %s; if accents look wrong, set "
            "`encoding` to utf-8",
            item.uri,
            source.encoding,
        )


def _begins_as_utf8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _without_mark(encoding: str, start: bytes) -> str:
    """What is said of a file without the byte order mark that its encoding needs."""
    way = f"set `encoding` to {encoding}-le or {encoding}-be"
    if 0 not in start and _begins_as_utf8(start):
        way = "it seems to be utf-8: set `encoding` to that, or store it as the others"
    return f"has no byte order mark, which {encoding} needs; {way}"
