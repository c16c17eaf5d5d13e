"""Markdown: a document a file, as the text that its page would show."""

import re
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.formats.html import text_of_page
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.whole_texts import columns, has_rows, names, read_whole
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

__all__ = ["ABOUT", "NAMES", "OWN_IDS", "PACKED", "columns", "has_rows", "names", "read"]

NAMES = ("markdown", ".md", ".markdown")
ABOUT = "a file: its text without markup, named by its path; only with `--format markdown`"
PACKED = True
OWN_IDS = ON_REQUEST = True

_FRONT_MATTER = re.compile(
    r"(---|\+\+\+)[ \t]*\n(?=\s*(?:#|\[|[\"']?[\w.-]+[\"']?\s*[:=])).*?\n\1[ \t]*(\n|\Z)", re.DOTALL
)
"""A block of `key: value` or `key = value` at the very top; other text there is between rules."""


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    read_whole(source, item, rows, _plain)


def _plain(text: str) -> str:
    """The text of a file without markup and front matter."""
    from markdown_it import MarkdownIt

    text = text.replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    return text_of_page(MarkdownIt().enable(["table", "strikethrough"]).render(body))
