"""The same data twice under two names in one corpus: packed and unpacked, and copies."""

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from nocturna.tasks.corpus.file_names import archive_stem, endings_of, without_compression
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import Listed, look_at
from nocturna.tasks.corpus.listing import Found
from nocturna.tasks.corpus.storage import sha256_of_input
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

log = logging.getLogger(__name__)

_COPY = re.compile(
    r"^(copia|cópia|copy|copie|kopie) (de|of|von) |"
    r"( ?\(\d+\)|[ _-]+(copia|copy|copie|kopie)( ?\(\d+\)|[ _-]?\d+)?|"
    r"[. ]sync-conflict-[\w-]+| \([^()]*(conflicted copy|copia en conflicto)[^()]*\))$",
    re.IGNORECASE,
)

_NEWEST = re.compile(
    r"(latest|newest|current|last|[uú]ltim[oa]s?|actual|backup|bak|respaldo|dernier|atual)",
    re.IGNORECASE,
)


def without_copies(source: Source, listed: list[Listed]) -> list[Listed]:
    """Files without those whose bytes another one holds under a name of the same file.

    Only files of such names are looked into, and those named as the newest of some.

    Raises:
        UsageError: two files have one name, packed and not or in two formats, and differ.
    """
    if len(listed) < 2 or any(not endings_of(format) for _, format in listed):
        return listed
    linked = _links_inside(listed)
    listed = [one for one in listed if one[0].path not in linked]
    by_name: dict[str, list[Listed]] = {}
    for one in listed:
        by_name.setdefault(_stem(one[0]), []).append(one)
    out = _met_unpacked(source, listed)
    for alike in by_name.values():
        same = [one for one in alike if one[0].path not in out]
        if len(same) > 1:
            items = [look_at(source, *one) for one in same]
            kept = {item.uri for item in _once(source, items)}
            out |= {item.uri for item in items} - kept
    out |= _newest(source, [one for one in listed if one[0].path not in out])
    return [one for one in listed if one[0].path not in out]


def _once(source: Source, same: list[InputFile]) -> list[InputFile]:
    """One of several files of one name for each content."""

    @cache
    def content(item: InputFile) -> str:
        return _content(source, item)

    by_format: dict[str, list[InputFile]] = {}
    for item in sorted(same, key=lambda item: (item.compression or "", len(item.name), item.name)):
        by_format.setdefault(item.format, []).append(item)
    kept: list[InputFile] = []
    for items in by_format.values():
        first, *others = items
        kept.append(first)
        for other in others:
            if content(other) == content(first):
                log.warning("left out %s: %s holds the same", other.name, first.name)
            elif without_compression(other.name) == without_compression(first.name):
                raise UsageError(
                    f"{first.uri} and {other.uri}: have one name and hold different rows; move one "
                    "away or leave it out with --exclude"
                )
            else:
                kept.append(other)
    if len(by_format) > 1 and source.id is None:
        one, two = kept[0], next(item for item in kept if item.format != kept[0].format)
        raise UsageError(
            f"{one.uri} and {two.uri}: have one name in two formats; if they hold the same rows, "
            f"leave one out with --exclude {two.name!r}, else rename one"
        )
    return kept


def _links_inside(listed: list[Listed]) -> set[str]:
    """The files that are links to others of them."""
    links = [file for file, _ in listed if Path(file.path).is_symlink()]
    if not links:
        return set()
    linked = {file.path for file in links}
    there = {os.path.realpath(file.path) for file, _ in listed if file.path not in linked}
    out = {file.path for file in links if os.path.realpath(file.path) in there}
    for file in links:
        if file.path in out:
            log.warning("left out %s: it is a link to another of the files", file.name)
    return out


def _newest(source: Source, listed: list[Listed]) -> set[str]:
    """The files named as the newest one, or as a safe copy, that hold what another file holds."""
    out: set[str] = set()
    for one in listed:
        size = one[0].info.get("size")
        if not size or not _NEWEST.fullmatch(PurePosixPath(one[0].name).name.partition(".")[0]):
            continue
        alike = [each for each in listed if each is not one and each[0].info.get("size") == size]
        item = look_at(source, *one)
        for other in (look_at(source, *each) for each in alike if each[0].path not in out):
            if other.format == item.format and _content(source, other) == _content(source, item):
                log.warning("left out %s: %s holds the same", item.name, other.name)
                out.add(item.uri)
                break
    return out


def _met_unpacked(source: Source, listed: list[Listed]) -> set[str]:
    """The members of archives that lie unpacked beside their archive, with the same content.

    Raises:
        UsageError: what lies there differs from what its archive holds.
    """
    loose = {one[0].name: one for one in listed if "archive" not in one[0].info}
    out: set[str] = set()
    for one in listed:
        for name, is_its_own in _unpacked_names(one[0]):
            if name not in loose:
                continue
            packed, plain = (look_at(source, *each) for each in (one, loose[name]))
            if _content(source, packed) == _content(source, plain):
                log.warning("left out %s: %s holds the same", packed.name, plain.name)
                out.add(packed.uri)
                break
            if is_its_own:
                raise UsageError(
                    f"{plain.uri} and {packed.uri}: have one name and hold different rows; move "
                    f"one away or leave it out with --exclude {packed.name!r}"
                )
    return out


def _unpacked_names(file: Found) -> Iterator[tuple[str, bool]]:
    """Where a member of an archive would lie unpacked, and whether its archive is named for it."""
    archive = file.info.get("archive")
    if archive is None:
        return
    folder, _, base = str(archive).rpartition("/")
    top = f"{folder}/" if folder else ""
    inside, stem = file.name.removeprefix(f"{archive}/"), archive_stem(base)
    yield f"{top}{stem}/{inside}", True
    yield f"{top}{inside}", stem in (inside, inside.rpartition(".")[0])


def _stem(file: Found) -> str:
    """The name of a file without endings and without what a copy adds to it or to its archive."""
    folder, _, base = without_compression(file.name).rpartition("/")
    archive = file.info.get("archive")
    if archive is not None:
        folder = _COPY.sub("", archive_stem(str(archive))) + folder.removeprefix(str(archive))
    return f"{folder}/{_COPY.sub('', base.rpartition('.')[0] or base)}".casefold()


def _content(source: Source, item: InputFile) -> str:
    if not formats()[item.format].PACKED:
        return sha256_of_input(source, item)
    digest = hashlib.sha256()
    for block in blocks(source, item):
        digest.update(block)
    return digest.hexdigest()


def tell_equal(inputs: Iterable[InputFile]) -> None:
    """Says which inputs hold the same bytes."""
    seen: dict[str, InputFile] = {}
    for item in inputs:
        if item.size and (first := seen.setdefault(item.fingerprint, item)) is not item:
            log.warning("%s and %s hold the same rows: both are read", first.name, item.name)
