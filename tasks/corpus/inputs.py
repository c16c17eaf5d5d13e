"""Freezing the inputs of a corpus: which files, of which format, with which content."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath

from nocturna.tasks.addresses import is_remote, redact
from nocturna.tasks.corpus.beside import refuse_table, without_files_about, without_working_files
from nocturna.tasks.corpus.columns import has_column
from nocturna.tasks.corpus.copies import without_copies
from nocturna.tasks.corpus.formats import (
    compression_of,
    format_of,
    has_ending,
    is_companion,
    is_hidden,
    unsupported_ending,
)
from nocturna.tasks.corpus.hub import dataset_files
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.listing import Found, list_files, remote_file
from nocturna.tasks.corpus.sniffing import (
    START,
    check_encoding,
    is_json_document,
    is_json_lines,
    refuse_json_as_text,
    refuse_stand_in,
)
from nocturna.tasks.corpus.storage import (
    filesystem,
    fingerprint,
    storage_errors,
    with_credentials,
)
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

log = logging.getLogger(__name__)

_SHOWN = 5


def freeze_inputs(source: Source) -> list[InputFile]:
    """Lists the files of a corpus and fixes their content by hash or checksum.

    Raises:
        UsageError: if there is nothing to read, or a file cannot be read as its format.
        Transient: if a store does not answer.
    """
    inputs = [
        replace(item, fingerprint=fingerprint(source, item.uri)) for item in find_inputs(source)
    ]
    inputs = without_copies(source, inputs)
    empty = [item.name for item in inputs if item.size == 0 and item.format != "files"]
    if empty and len(empty) < len(inputs):
        log.warning("%d empty files hold no rows: %s", len(empty), _some(empty))
    return inputs


def find_inputs(source: Source) -> Iterator[InputFile]:
    """The files of a corpus in their order, without fingerprints; each is looked at in its turn.

    A folder is read with its sub-folders, in the order of its paths. Hidden files (a part of the
    path starts with `.` or `_`), files that describe a corpus (README, LICENSE, manifest) and
    endings that are no format are left out, and a warning in the log says so.

    Raises:
        UsageError: if there is nothing to read, or a file cannot be read as its format.
        Transient: if a store does not answer.
    """
    if source.dataset is not None:
        found, kind = [remote_file(uri) for uri in dataset_files(source)], "data set"
    else:
        found, kind = list_files(source.address)
    for file, format in _choose(source, found, kind):
        yield _look_at(source, file, format)


def _choose(source: Source, found: list[Found], kind: str) -> list[tuple[Found, str]]:
    """The files to read with their formats; says which ones are left out."""
    where = source.path or source.dataset
    if kind in ("file", "data set"):
        return [(file, _format_or_error(source, file)) for file in found]
    refuse_table(source, found, kind)
    asked = [file for file in found if not _is_excluded(source, file)]
    _say_left_out("as `exclude` says", found, asked)
    visible = [file for file in asked if not is_hidden(file.name)]
    _say_left_out("hidden", asked, visible)
    if source.format == "files":
        chosen = [(file, "files") for file in visible]
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
    item = _look_at(source, file, format)
    try:
        return has_column(source, item, source.text)
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
        raise UsageError(f"{shown}: {ending} is not read; store it plain, as .gz or as .zst")
    format = format_of(file.name) if source.format == "auto" else source.format
    if format is None:
        raise UsageError(
            f"{shown}: the ending names no format; set `format` to jsonl, json, csv, tsv, "
            "parquet, arrow, text or files"
        )
    return format


def _look_at(source: Source, file: Found, format: str) -> InputFile:
    size = int(file.info.get("size") or 0)
    if is_remote(file.path):
        fs, path = filesystem(with_credentials(source, file.path))
        with storage_errors(file.path):
            start = fs.cat_file(path, start=0, end=min(START, size)) if size else b""
    else:
        with storage_errors(file.path), Path(file.path).open("rb") as stream:
            start = stream.read(START)
    refuse_stand_in(source, file.path, format, start)
    compression = compression_of(file.name, file.path, format, start)
    item = InputFile(file.path, format, compression, size, "", file.name)
    check_encoding(source, item)
    if format == "json" and size and is_json_lines(source, item):
        item = replace(item, format="jsonl")
    elif format == "jsonl" and size and is_json_document(source, item):
        item = replace(item, format="json")
    if format == "text" and source.format == "auto" and size:
        refuse_json_as_text(source, item)
    return item


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
