"""The inputs of a corpus: which of the files that its paths stand for, and of which format."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial

from nocturna.tasks.addresses import member_of, redact
from nocturna.tasks.corpus.archives import members_of, refuse_nested, refuse_unread, with_members
from nocturna.tasks.corpus.beside import refuse_table, without_files_about, without_working_files
from nocturna.tasks.corpus.columns import MissingColumn
from nocturna.tasks.corpus.composed import reading_of
from nocturna.tasks.corpus.fetched import fetched_info, kept_listing
from nocturna.tasks.corpus.file_names import (
    archive_kind,
    endings_of,
    format_of,
    is_companion,
    is_hidden,
    is_of,
    meant_by,
    unsupported_ending,
)
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.hub import dataset_files, offline_by
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import Listed, look_at, some_names
from nocturna.tasks.corpus.left_out import LeftOut, matcher
from nocturna.tasks.corpus.listing import Found, list_files, remote_file
from nocturna.tasks.corpus.log_tables import live_files
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.job.source import Source

log = logging.getLogger(__name__)

_AS_ASKED = "as `include` and `exclude` say"


def list_inputs(source: Source) -> list[Listed]:
    """The files of a corpus in their order, each with the format that its name or the job says.

    A folder is read with its sub-folders, in the order of its paths. Hidden files (a part of the
    path starts with `.` or `_`), files that describe a corpus (README, LICENSE, manifest),
    endings that are no format and what `include` and `exclude` say are left out, and a warning in
    the log says so. Of several paths each file is read once, in the order of names that tell their
    folders apart.

    Raises:
        UsageError: if there is nothing to read, or a file cannot be read as its format.
        Transient: if a store does not answer.
    """
    left_out = LeftOut()
    if source.dataset is not None:
        chosen = _choose(source, source.dataset, *_listed(source, None), left_out)
    elif len(source.addresses) == 1:
        (address,) = source.addresses
        chosen = _choose(source, address, *_files_at(source, address), left_out)
    else:
        chosen = _of_several(source, left_out)
    if not chosen:
        asked = f"`include`: {', '.join(source.include)}" if source.include else "`exclude`"
        raise UsageError(f"{source.place}: no file to read is left by {asked}; check the patterns")
    left_out.tell(chosen)
    left_out.tell_unmatched(source.exclude)
    return chosen


def list_all(source: Source, address: str | None) -> tuple[list[Found], str]:
    """Every file at an address of a corpus, and what they are: a file, a folder, a glob.

    Args:
        address: None for the data set of the source.

    Raises:
        UsageError: there is none, or they may not be read.
        Transient: a store does not answer.
    """
    if address is None:
        return [remote_file(uri) for uri in dataset_files(source)], "data set"
    return list_files(address)


def _listed(source: Source, address: str | None) -> tuple[list[Found], str]:
    """As `list_all`; of what is on the Hub and cannot be asked for, what was fetched."""
    kept = kept_listing(source, address)
    here = [Found(uri, name, fetched_info(uri)) for uri, name in kept[0]] if kept else []
    if kept is not None and offline_by():
        return here, kept[1]
    try:
        return list_all(source, address)
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


def _of_several(source: Source, left_out: LeftOut) -> list[Listed]:
    """The files of several paths, each under a name that tells folders of the same name apart."""
    by_place: list[tuple[str, list[Listed]]] = []
    for address in source.addresses:
        found, kind = _files_at(source, address)
        top = redact(found[0].path).removesuffix(found[0].name).rstrip("/") if found else ""
        by_place.append((top, _choose(source, address, found, kind, left_out)))
    labels = _labels([top for top, _ in by_place])
    listed: dict[str, Listed] = {}
    for top, chosen in by_place:
        for file, format in chosen:
            name = f"{labels[top]}/{file.name}" if len(labels) > 1 else file.name
            before = listed.get(file.path)
            if before is None or name < before[0].name:
                listed[file.path] = replace(file, name=name), format
    return sorted(listed.values(), key=lambda one: one[0].name)


def _labels(tops: list[str]) -> dict[str, str]:
    """A name for each of some folders: as many of its last parts as tell them all apart."""
    parts = {top: [part for part in top.split("/") if part] for top in tops}
    most = max(map(len, parts.values()))
    for count in range(1, most + 1):
        labels = {top: "/".join(names[-count:]) for top, names in parts.items()}
        if len(set(labels.values())) == len(labels):
            return labels
    return {top: top for top in tops}


def _choose(
    source: Source, address: str, found: list[Found], kind: str, left_out: LeftOut
) -> list[Listed]:
    """The files to read of one path with their formats; none where the job leaves them all out."""
    where = redact(address)
    live = live_files(source, address, found if kind == "folder" else [])
    if live is not None:
        left_out.note("no longer part of the table", filter(_is_parquet, found), live)
        asked = [file for file in live if _is_asked_for(source, file)]
        left_out.note(_AS_ASKED, live, asked)
        return [(file, "parquet") for file in asked]
    found, kind = _opened_up(source, found, kind, left_out)
    asked = [file for file in found if _is_asked_for(source, file)]
    if kind in ("file", "data set"):
        left_out.note(_AS_ASKED, found, asked)
        return [(refuse_unread(file), _format_or_error(source, file)) for file in asked]
    refuse_table(where, found, kind)
    left_out.note(_AS_ASKED, found, asked)
    visible = [file for file in asked if not is_hidden(file.name)]
    left_out.note("hidden", asked, visible)
    for file in visible:
        refuse_nested(file)
    if source.format != "auto" and not endings_of(source.format):
        chosen = [(file, source.format) for file in visible]
    else:
        chosen = _with_rows(source, visible, left_out)
    if not chosen and (asked or not found):
        names = some_names(file.name for file in found)
        raise UsageError(
            f"{where}: no file to read ({'it is empty' if not found else names}); "
            "check the path or set `format`"
        )
    return [(refuse_unread(file), format) for file, format in chosen]


def _is_parquet(file: Found) -> bool:
    return is_of(file.name, "parquet")


def _files_at(source: Source, address: str) -> tuple[list[Found], str]:
    """As `list_files`, also for the address of members of an archive."""
    member = member_of(address)
    if member is None:
        return _listed(source, address)
    files = [one for file in list_files(member[2])[0] for one in members_of(source, file)]
    asked = [file for file in files if _is_member(file.path, member[1])]
    if not asked:
        raise UsageError(f"{redact(address)}: not found; check the path")
    return asked, "glob"


def _is_member(path: str, pattern: str) -> bool:
    name = (member_of(path) or ("", "", ""))[1]
    return name == pattern or fnmatchcase(name, pattern)


def _opened_up(
    source: Source, found: list[Found], kind: str, left_out: LeftOut
) -> tuple[list[Found], str]:
    """The files of a path with those in archives, and what it is then."""
    full = [f for f in found if f.info.get("size") != 0 or not archive_kind(f.name)]
    if full:
        left_out.note("an archive without a byte", found, full)
        found = full

    def leave(file: Found) -> bool:
        return is_hidden(file.name) or any(map(matcher(file), source.exclude))

    opened = found if kind == "data set" else with_members(source, found, leave)
    return opened, kind if opened == found else "folder"


def _with_rows(source: Source, visible: list[Found], left_out: LeftOut) -> list[Listed]:
    """The files of a folder that hold rows, with their formats."""
    saved = without_working_files(source, visible)
    left_out.note("working files of the library `datasets`", visible, saved)
    rows = [file for file in saved if not is_companion(file.name)]
    left_out.note("not part of the corpus by their names", saved, rows)
    listed = list(_with_formats(source, rows))
    left_out.note("of no format to read here", rows, [refuse_unread(file) for file, _ in listed])
    chosen = without_files_about(listed, partial(_has_text, source))
    why = f"without a column {source.text!r}, beside files that have it"
    left_out.note(why, [file for file, _ in listed], [file for file, _ in chosen])
    return chosen


def _is_asked_for(source: Source, file: Found) -> bool:
    """Whether `include` and `exclude` say that a file is to be read."""
    matches = matcher(file)
    included = not source.include or any(map(matches, source.include))
    return included and not any(map(matches, source.exclude))


def _has_text(source: Source, file: Found, format: str) -> bool | None:
    reading = reading_of(source)
    only = reading.model_copy(update={"keep": (), "id": None})
    item = look_at(reading, file, format)
    try:
        unsure = reading.text in formats()[item.format].columns(only, item).unsure
        return not unsure or _names_text(reading, item)
    except MissingColumn:
        return not item.size
    except UsageError:
        return None


def _names_text(source: Source, item: InputFile) -> bool:
    """Whether the name of the text column is anywhere in an input."""
    name = source.text.encode(source.encoding, "replace")
    return any(name in block for block in blocks(source, item))


def _with_formats(source: Source, files: list[Found]) -> Iterator[tuple[Found, str]]:
    if source.format == "auto":
        told = [(file, format_of(file.name)) for file in files]
        yield from ((file, format) for file, format in told if format)
        return
    meant = meant_by([file.name for file in files], source.format)
    yield from ((file, source.format) for file in files if file.name in meant)


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
