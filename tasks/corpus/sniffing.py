"""What the first bytes of an input tell: JSON lines or one JSON document, and wrong encodings."""

import codecs

from nocturna.tasks.corpus.decoding import is_ascii_based, is_utf8
from nocturna.tasks.corpus.formats import COLUMNAR
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.jsonrows import Ambiguous, parse
from nocturna.tasks.corpus.lines import BOM
from nocturna.tasks.corpus.streams import head
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

_START = 4096
_LINE = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_json_lines(source: Source, item: InputFile) -> bool:
    """Whether a .json file holds an object a line rather than an array or one spread-out object."""
    start = head(source, item, _LINE).removeprefix(BOM).lstrip()
    if not start.startswith(b"{"):
        return False
    line, ended, rest = start.partition(b"\n")
    if _is_object(line):
        return True
    if not ended:
        return len(start) >= _LINE - len(BOM)
    # a broken first line costs one row, if the second one shows that rows are lines
    return not line.rstrip().endswith((b"{", b"[", b",", b":")) and _is_object(
        rest.partition(b"\n")[0]
    )


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
    if item.format in COLUMNAR:
        return
    if not is_ascii_based(source.encoding) or not item.size:
        return
    raw = head(source, item, _START, transcoded=False)
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            raise UsageError(
                f"{item.uri}: starts with the byte order mark of {encoding}, but the encoding is "
                f"{source.encoding}; set `encoding` to {encoding}"
            )
    if raw.startswith(BOM) and not is_utf8(source.encoding):
        raise UsageError(
            f"{item.uri}: starts with the byte order mark of utf-8, but the encoding is "
            f"{source.encoding}; set `encoding` to utf-8"
        )
    if item.format != "files" and raw.count(0) * 4 > len(raw):
        raise UsageError(
            f"{item.uri}: more than a quarter of its first bytes are NUL, as in utf-16 without a "
            "byte order mark; set `encoding` to utf-16-le or utf-16-be"
        )
