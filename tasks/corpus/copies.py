"""The same data twice under two names in one corpus: packed and unpacked, and copies."""

import hashlib
import logging
import re
from collections.abc import Iterable

from nocturna.tasks.corpus.formats import COLUMNAR, without_compression
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.streams import byte_range
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

log = logging.getLogger(__name__)

_COPY = re.compile(
    r"( ?\(\d+\)|[ _-]+(copia|copy|copie|kopie)( ?\(\d+\)|[ _-]?\d+)?)$", re.IGNORECASE
)


def without_copies(source: Source, inputs: list[InputFile]) -> list[InputFile]:
    """Inputs without those whose bytes another one holds under a name of the same file.

    Raises:
        UsageError: two files have one name, packed and not or in two formats, and differ.
    """
    if len(inputs) < 2 or any(item.format == "files" for item in inputs):
        return inputs
    kept: list[InputFile] = []
    by_name: dict[str, list[InputFile]] = {}
    for item in inputs:
        by_name.setdefault(_stem(item), []).append(item)
    for same in by_name.values():
        kept += _once(source, same) if len(same) > 1 else same
    _tell_equal(kept)
    return [item for item in inputs if item in kept]


def _once(source: Source, same: list[InputFile]) -> list[InputFile]:
    """One of several files of one name for each content."""
    by_ending: dict[str, list[InputFile]] = {}
    for item in sorted(same, key=lambda item: (item.compression or "", len(item.name), item.name)):
        by_ending.setdefault(item.format, []).append(item)
    kept: list[InputFile] = []
    for items in by_ending.values():
        first, *others = items
        kept.append(first)
        for other in others:
            if _content(source, other) == _content(source, first):
                log.warning("left out %s: %s holds the same", other.name, first.name)
            elif without_compression(other.name) == without_compression(first.name):
                raise UsageError(
                    f"{first.uri} and {other.uri}: have one name and hold different rows; move one "
                    "away or leave it out with --exclude"
                )
            else:
                kept.append(other)
    if len(by_ending) > 1 and source.id is None:
        one, two = kept[0], next(item for item in kept if item.format != kept[0].format)
        raise UsageError(
            f"{one.uri} and {two.uri}: have one name in two formats; if they hold the same rows, "
            f"leave one out with --exclude {two.name!r}, else rename one"
        )
    return kept


def _stem(item: InputFile) -> str:
    """The name of a file without endings and without what a copy adds to it."""
    folder, _, base = without_compression(item.name).rpartition("/")
    return f"{folder}/{_COPY.sub('', base.rpartition('.')[0] or base)}"


def _content(source: Source, item: InputFile) -> str:
    if item.format in COLUMNAR:
        return item.fingerprint
    digest = hashlib.sha256()
    for block in byte_range(source, item):
        digest.update(block)
    return digest.hexdigest()


def _tell_equal(inputs: Iterable[InputFile]) -> None:
    seen: dict[str, InputFile] = {}
    for item in inputs:
        if item.size and (first := seen.setdefault(item.fingerprint, item)) is not item:
            log.warning("%s and %s hold the same rows: both are read", first.name, item.name)
