"""Web pages: a document a file, the text that a reader sees, without markup, scripts and styles."""

import re
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.whole_texts import columns, has_rows, names, read_whole
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

__all__ = ["ABOUT", "NAMES", "OWN_IDS", "PACKED", "columns", "has_rows", "names", "read"]

NAMES = ("html", ".html", ".htm", ".xhtml")
ABOUT = "a web page: the text that a reader sees, named by its path; only with `--format html`"
PACKED = True
OWN_IDS = ON_REQUEST = True

_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_UNSEEN = [
    *("[hidden]", '[style*="display:none" i]', '[style*="display: none" i]', "template", "svg"),
    *("iframe", "object", "audio", "video"),
    *("img", "area", "input", "button", "select", "textarea", "datalist"),
]
"""What is not seen, and pictures and fields, without whose texts the parser leaves out all figures
with their captions, and the labels of forms."""


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    read_whole(source, item, rows, text_of_page, _declared)


def text_of_page(page: str) -> str:
    """The text of a web page: paragraphs and rows of tables on lines of their own.

    >>> text_of_page("<title>No</title><p>Uno &amp; <b>dos</b><script>no()</script><p>Tres")
    'Uno & dos\\n\\nTres'
    """
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(
        page, list_bullets=False, form_fields=True, skip_elements=_UNSEEN
    )
    return text


def _declared(data: bytes) -> str | None:
    """The encoding that a page says it is in."""
    found = _DECLARED.search(data, 0, 2048)
    return found[1].decode() if found else None
