"""Keeping every text that measures out of what trains.

Some open corpora share texts: most Spanish training tweets of UMSAB are also in TASS, and STS-B
repeats sentences between its splits. A text is dropped from training when it occurs in a
measuring set after letter case, white space, punctuation, user names and addresses are put aside.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from recipes.bundled.files import clean_tweet, read_jsonl

MEASURING_SETS = (
    "parallel/stsb-*.dev.jsonl.gz",
    "parallel/stsb-*.test.jsonl.gz",
    "sentiment/tweets-*.val.jsonl.gz",
    "sentiment/tass2020.*.jsonl.gz",
    "sentiment/tass-general.train.jsonl.gz",
    "sentiment/emoevent-es.train.jsonl.gz",
    "sentiment/turismo-reviews.dev.jsonl.gz",
    "topics/*.jsonl.gz",
)
_TEXT_COLUMNS = ("text", "a", "b")
_NOISE = re.compile(r"https?\S*|www\.\S+|@\w+")
_WORD = re.compile(r"\w+")

Row = TypeVar("Row")


def fingerprint(text: str) -> str:
    """Hash of the words of a text; empty when nothing but user names and addresses is left."""
    words = _WORD.findall(_NOISE.sub(" ", clean_tweet(text).casefold()))
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:24] if words else ""


def measuring_fingerprints(data: Path) -> frozenset[str]:
    """Fingerprints of every text of every set under ``data`` that only measures."""
    found: set[str] = set()
    for pattern in MEASURING_SETS:
        for path in sorted(data.glob(pattern)):
            for row in read_jsonl(path):
                found.update(fingerprint(row[name]) for name in _TEXT_COLUMNS if name in row)
    return frozenset(found - {""})


def without_leaks(
    rows: Iterable[Row], texts_of: Callable[[Row], Iterable[str]], measured: frozenset[str]
) -> list[Row]:
    """The rows none of whose texts is measured."""
    return [row for row in rows if not any(fingerprint(text) in measured for text in texts_of(row))]
