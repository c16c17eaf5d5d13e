"""One input of a corpus, as its first bytes show it."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.file_names import compression_of, endings_of, packed_as
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.listing import Found
from nocturna.tasks.corpus.sniffing import check_encoding, refuse_stand_in
from nocturna.tasks.corpus.storage import mark_of, open_raw, storage_errors
from nocturna.tasks.corpus.streams import stored_head
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source
from nocturna.tasks.pointers import START

Listed = tuple[Found, str]
"""A file and the name of its format."""

log = logging.getLogger(__name__)

_SHOWN = 5


def look_at(source: Source, file: Found, format: str) -> InputFile:
    """An input as its first bytes show it; its fingerprint is what its store says of it, if any.

    Raises:
        UsageError: it is not what its name says, or in another encoding than the job says.
    """
    size = int(file.info.get("size") or 0)
    mark = mark_of(source, file.path, file.info) if is_remote(file.path) else ""
    item = InputFile(
        uri=file.path,
        format=format,
        compression=None,
        size=size,
        fingerprint=mark,
        name=file.name,
        fixed=str(file.info.get("fixed") or ""),
        stored=file.info.get("stored"),
        since=file.info.get("since", 0),
    )
    start = b""
    if size:
        with storage_errors(file.path), open_raw(source, item) as stream:
            start = stream.read(START)
    refuse_stand_in(source, file.path, format, start)
    item = replace(item, compression=compression_of(file.name, file.path, format, start))
    if item.compression:
        inside = stored_head(source, item, START)
        if again := packed_as(inside):
            raise UsageError(f"{item.uri}: is packed twice, with {again} inside; unpack it once")
        refuse_stand_in(source, file.path, format, inside)
    check_encoding(source, item)
    other = getattr(formats()[format], "other", None)
    really = other(source, item) if other else None
    return replace(item, format=really) if really else item


def tell_empty(inputs: Iterable[InputFile]) -> None:
    """Says which files of several are empty."""
    listed = list(inputs)
    empty = [item.name for item in listed if item.size == 0 and endings_of(item.format)]
    if empty and len(empty) < len(listed):
        log.warning("%d empty files hold no rows: %s", len(empty), some_names(empty))


def some_names(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    listed = list(names)
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + rest
