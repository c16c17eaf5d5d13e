"""Reading the open data sets: gzipped JSON lines and tab-separated sentence pairs."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError

_PLACEHOLDER = {"_usr": "@user", "_emo": ""}
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[\"«¿¡(]?[A-ZÁÉÍÓÚÑ])")
_REFERENCE = re.compile(r"\[[^\]]{1,20}\]\u200b?")


def _open(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise UsageError(f"training data not found: {path} (is --data the data folder?)")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from lines


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """All rows of a gzipped JSON-lines file.

    Raises:
        UsageError: the file is missing, or one of its lines is not JSON.
    """
    rows = []
    for number, line in enumerate(_open(path), start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error.msg})") from error
    return rows


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """English and Spanish sentences of a gzipped file of tab-separated pairs.

    Raises:
        UsageError: the file is missing, or a line does not hold exactly two columns.
    """
    pairs = []
    for number, line in enumerate(_open(path), start=1):
        columns = line.rstrip("\n").split("\t")
        if len(columns) != 2:
            raise UsageError(
                f"{path}, line {number}: {len(columns)} columns, expected English TAB Spanish"
            )
        pairs.append((columns[0], columns[1]))
    return pairs


def clean_tweet(text: str) -> str:
    """A tweet with its corpus' own placeholders and escapes put into plain form."""
    text = re.sub(r"_usr|_emo", lambda match: _PLACEHOLDER[match.group()], text)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match.group(1), 16)), text)
    return " ".join(text.replace('\\"', '"').split())


def sentences(text: str) -> list[str]:
    """Sentences of a paragraph, by a simple rule on punctuation; footnote marks are removed."""
    return [piece.strip() for piece in _SENTENCE_END.split(_REFERENCE.sub("", text)) if piece]
