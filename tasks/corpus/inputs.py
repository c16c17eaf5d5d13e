"""The inputs of a corpus: which files, of which format."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import PurePosixPath

from nocturna.tasks.addresses import is_remote, redact
from nocturna.tasks.corpus.beside import refuse_table, without_files_about, without_working_files
from nocturna.tasks.corpus.columns import MissingColumn
from nocturna.tasks.corpus.composed import reading_of
from nocturna.tasks.corpus.fetched import fetched_info, kept_listing
from nocturna.tasks.corpus.file_names import (
    compression_of,
    endings_of,
    format_of,
    has_ending,
    is_companion,
    is_hidden,
    unsupported_ending,
)
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.hub import dataset_files, offline_by
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.listing import Found, list_files, remote_file
from nocturna.tasks.corpus.sniffing import START, check_encoding, refuse_stand_in
from nocturna.tasks.corpus.storage import mark_of, open_raw, storage_errors
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.job.source import Source

Listed = tuple[Found, str]
"""A file and the name of its format."""

log = logging.getLogger(__name__)

_SHOWN = 5


def list_inputs(source: Source) -> list[Listed]:
    """The files of a corpus in their order, each with the format that its name or the job says.

    A folder is read with its sub-folders, in the order of its paths. Hidden files (a part of the
    path starts with `.` or `_`), files that describe a corpus (README, LICENSE, manifest) and
    endings that are no format are left out, and a warning in the log says so.

    Raises:
        UsageError: if there is nothing to read, or a file cannot be read as its format.
        Transient: if a store does not answer.
    """
    return _choose(source, *_listed(source))


def list_all(source: Source) -> tuple[list[Found], str]:
    """Every file of a corpus, and what they are: a file, a folder, a glob or a data set.

    Raises:
        UsageError: there is none, or they may not be read.
        Transient: a store does not answer.
    """
    if source.dataset is not None:
        return [remote_file(uri) for uri in dataset_files(source)], "data set"
    return list_files(source.address)


def _listed(source: Source) -> tuple[list[Found], str]:
    """Every file of a corpus; of one on the Hub that cannot be asked, those that were fetched."""
    kept = kept_listing(source)
    here = [Found(uri, name, fetched_info(uri)) for uri, name in kept[0]] if kept else []
    if kept is not None and offline_by():
        return here, kept[1]
    try:
        return list_all(source)
    except Transient as error:
        if kept is None:
            raise
        log.warning("%s: read as it was fetched", error)
        return here, kept[1]


def find_inputs(source: Source) -> Iterator[InputFile]:
    """The files of a corpus in their order; each is looked at in its turn.

    Raises:
        UsageError: as `list_inputs`, or a file is not what it seems.
        Transient: if a store does not answer.
    """
    for file, format in list_inputs(source):
        yield look_at(source, file, format)


def _choose(source: Source, found: list[Found], kind: str) -> list[Listed]:
    """The files to read with their formats; says which ones are left out."""
    where = source.path or source.dataset
    if kind in ("file", "data set"):
        return [(file, _format_or_error(source, file)) for file in found]
    refuse_table(source, found, kind)
    asked = [file for file in found if not _is_excluded(source, file)]
    _say_left_out("as `exclude` says", found, asked)
    visible = [file for file in asked if not is_hidden(file.name)]
    _say_left_out("hidden", asked, visible)
    if source.format != "auto" and not endings_of(source.format):
        chosen = [(file, source.format) for file in visible]
    else:
        saved = without_working_files(source, visible)
        _say_left_out("working files of the library `datasets`", visible, saved)
        rows = [file for file in saved if not is_companion(file.name)]
        _say_left_out("not part of the corpus by their names", saved, rows)
        formats = list(_with_formats(source, rows))
        _say_left_out("of no format to read here", rows, [file for file, _ in formats])
        chosen = without_files_about(formats, partial(_has_text, source))
        _say_left_out(
            f"without a column {source.text!r}, beside files that have it",
            [file for file, _ in formats],
            [file for file, _ in chosen],
        )
    if not chosen:
        names = _some(file.name for file in found)
        raise UsageError(
            f"{where}: no file to read ({'the folder is empty' if not found else names}); "
            "check the path or set `format`"
        )
    return chosen


def _is_excluded(source: Source, file: Found) -> bool:
    base = PurePosixPath(file.name).name
    return any(fnmatch(name, one) for one in source.exclude for name in (file.name, base))


def _has_text(source: Source, file: Found, format: str) -> bool | None:
    reading = reading_of(source)
    only = reading.model_copy(update={"keep": (), "id": None})
    item = look_at(reading, file, format)
    try:
        return reading.text not in formats()[item.format].columns(only, item).unsure
    except MissingColumn:
        return not item.size
    except UsageError:
        return None


def _with_formats(source: Source, files: list[Found]) -> Iterator[tuple[Found, str]]:
    if source.format == "auto":
        for file in files:
            if format := format_of(file.name):
                yield file, format
        return
    named = [f for f in files if format_of(f.name) == source.format or not has_ending(f.name)]
    others = [f for f in files if format_of(f.name) is None and not unsupported_ending(f.name)]
    for file in named or others:
        yield file, source.format


def _format_or_error(source: Source, file: Found) -> str:
    shown = redact(file.path)
    if ending := unsupported_ending(file.name):
        raise UsageError(
            f"{shown}: {ending} is not read; store it plain or as .gz, .zst, .bz2 or .xz"
        )
    format = format_of(file.name) if source.format == "auto" else source.format
    if format is None:
        raise UsageError(
            f"{shown}: the ending names no format; set `format` to {', '.join(formats())}"
        )
    return format


def look_at(source: Source, file: Found, format: str) -> InputFile:
    """An input as its first bytes show it; its fingerprint is what its store says of it, if any.

    Raises:
        UsageError: it is not what its name says, or in another encoding than the job says.
    """
    size = int(file.info.get("size") or 0)
    mark = mark_of(source, file.path, file.info) if is_remote(file.path) else ""
    item = InputFile(file.path, format, None, size, mark, file.name)
    start = b""
    if size:
        with storage_errors(file.path), open_raw(source, item) as stream:
            start = stream.read(START)
    refuse_stand_in(source, file.path, format, start)
    item = replace(item, compression=compression_of(file.name, file.path, format, start))
    check_encoding(source, item)
    other = getattr(formats()[format], "other", None)
    really = other(source, item) if other else None
    return replace(item, format=really) if really else item


def tell_empty(inputs: Iterable[InputFile]) -> None:
    """Says which files of several are empty."""
    listed = list(inputs)
    empty = [item.name for item in listed if item.size == 0 and endings_of(item.format)]
    if empty and len(empty) < len(listed):
        log.warning("%d empty files hold no rows: %s", len(empty), _some(empty))


def _say_left_out(why: str, before: list[Found], after: list[Found]) -> None:
    kept = {file.name for file in after}
    names = [file.name for file in before if file.name not in kept]
    if names:
        files = "file" if len(names) == 1 else "files"
        log.warning("left out %d %s, %s: %s", len(names), files, why, _some(names))


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + rest
