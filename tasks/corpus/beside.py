"""What lies beside the data of a corpus: tables of other tools, working files, files about it."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nocturna.tasks.addresses import is_remote, redact
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.listing import Found
from nocturna.tasks.corpus.storage import open_raw, storage_errors
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

log = logging.getLogger(__name__)

_SCAN = (
    "write its current rows to a file first, in DuckDB: COPY (FROM {}('FOLDER')) TO 'rows.parquet'"
)
_TABLES = (
    (r"(^|.*/)_delta_log/.*", "a Delta table", "name its folder by itself, to read its live files"),
    (
        r"(^|.*/)metadata/(version-hint\.text|[^/]*\.metadata\.json|snap-[^/]*\.avro)",
        "an Iceberg table",
        _SCAN.format("iceberg_scan"),
    ),
    (r"(^|.*/)\.hoodie/.*", "a Hudi table", "write its current rows to files first, with Spark"),
    (r"(^|.*/)_versions/.*", "a Lance data set", "write its current rows to Parquet first"),
    (
        r"(^|.*/)snapshot/(LATEST|EARLIEST|snapshot-\d+)",
        "a Paimon table",
        "write its current rows to files first, with Flink or Spark",
    ),
    (
        r"(^|.*/)(base_\d{7}|(delete_)?delta_\d{7}_\d{7})[^/]*/.*",
        "a Hive table with transactions",
        "write its current rows to files first, with Hive",
    ),
    (
        r"(^|.*/)_spark_metadata/\d+",
        "what a Spark stream wrote",
        "write its committed rows to files first, with Spark",
    ),
)
_REVISION = re.compile(r"((?:^|.*/)snapshots)/([^/]+)/.*")
_SEVERAL = ("a cache of several revisions", "name the folder of one of them, snapshots/REVISION")
_COMMIT = re.compile(r"(^|.*/)_(started|committed)_(\d+)")
_UNENDED = ("what a Databricks job did not end to write", "write it anew, or --exclude '*tid-{}*'")
_MARKS = {"_delta_log": _TABLES[0], ".hoodie": _TABLES[2], "_versions": _TABLES[3]}
_UP = 4
"""Folders above a source that may be the one of a table."""

_STATE, _INFO = "state.json", "dataset_info.json"
_CACHE = re.compile(r"(cache|indices)-[^/]*\.arrow")
_ABOUT = frozenset(
    {"metadata", "meta", "schema", "stats", "statistics", "summary", "index", "config", "info"}
    | {"columns", "dictionary", "codebook", "dataset", "datapackage", "croissant", "package"}
    | {"version", "versions", "report", "profile", "log", "files"}
)
"""Words in the names of files that are about a corpus, if they have no text column either."""


def refuse_table(where: str, found: list[Found], kind: str) -> None:
    """Refuses the folder of a table format: files in it may be no part of the table any more.

    A glob or a file, which was asked for by name, is read with a warning.

    Raises:
        UsageError: one line that names the kind of table and how to read it.
    """
    table = next(_tables(found), None)
    if table is None and found and not is_remote(found[0].path):
        table = _table_around(Path(found[0].path))
    if table is None:
        return
    top, (_, what, how) = table
    if kind == "folder":
        raise UsageError(
            f"{top or where}: is {what}, whose folder holds files that are no longer part "
            f"of it; {how}"
        )
    log.warning("%s: lies in %s, so that it may be no longer part of it; %s", where, what, how)


def _tables(found: Iterable[Found]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for file in found:
        for table in _TABLES:
            if mark := re.fullmatch(table[0], file.name):
                inside = file.name[: mark.end(1)].rstrip("/")
                path = redact(file.path)
                top = path.removesuffix(file.name) if path.endswith(file.name) else ""
                yield (top + inside).rstrip("/"), table
    yield from _unsettled([file.name for file in found])


def _unsettled(names: list[str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Folders of which a list beside the files tells which ones count."""
    revisions: dict[str, set[str]] = {}
    for one in filter(None, map(_REVISION.fullmatch, names)):
        revisions.setdefault(one[1], set()).add(one[2])
    for folder, found in revisions.items():
        refs = f"{folder.removesuffix('snapshots')}refs/"
        if len(found) > 1 and any(name.startswith(refs) for name in names):
            yield folder, ("", *_SEVERAL)
    commits: dict[tuple[str, str], set[str]] = {}
    for one in filter(None, map(_COMMIT.fullmatch, names)):
        commits.setdefault((one[1], one[3]), set()).add(one[2])
    for (folder, number), marks in commits.items():
        if marks == {"started"}:
            yield folder, ("", _UNENDED[0], _UNENDED[1].format(number))


def _table_around(path: Path) -> tuple[str, tuple[str, str, str]] | None:
    for folder in list(path.parents)[:_UP]:
        for mark, table in _MARKS.items():
            if (folder / mark).is_dir():
                return str(folder), table
        about = folder / "metadata"
        if (about / "version-hint.text").is_file() or any(about.glob("*.metadata.json")):
            return str(folder), _TABLES[1]
        if (folder / "snapshot" / "LATEST").is_file():
            return str(folder), _TABLES[4]
    return None


def without_working_files(source: Source, files: list[Found]) -> list[Found]:
    """Files without those that the library `datasets` leaves beside a data set that it saved.

    Raises:
        UsageError: the data set is a selection of the rows of its files.
    """
    by_folder: dict[str, dict[str, Found]] = {}
    for file in files:
        folder, _, base = file.name.rpartition("/")
        by_folder.setdefault(folder, {})[base] = file
    out: set[str] = set()
    for inside in by_folder.values():
        if not {_STATE, _INFO} & inside.keys():
            continue
        state = _json_of(source, inside[_STATE]) if _STATE in inside else {}
        listed = {PurePosixPath(name).name for name in _listed(state)}
        if state.get("_indices_data_files") or state.get("_indices_files"):
            raise UsageError(
                f"{inside[_STATE].path}: the data set is a selection of the rows of its files; "
                "save it again with flatten_indices().save_to_disk(FOLDER)"
            )
        for base, file in inside.items():
            stray = base.endswith(".arrow") and base not in listed
            if stray if listed else _CACHE.fullmatch(base):
                out.add(file.name)
    return [file for file in files if file.name not in out]


def _listed(state: dict[str, Any]) -> list[str]:
    files = state.get("_data_files")
    found = files if isinstance(files, list) else []
    return [str(file.get("filename")) for file in found if isinstance(file, dict)]


def without_files_about(
    files: list[tuple[Found, str]], has_text: Callable[[Found, str], bool | None]
) -> list[tuple[Found, str]]:
    """Files without those that are about the corpus by their name or format, and by their content.

    Most files of a corpus have one format. A file of another one, or with a name such as
    `metadata` or `schema`, is left out if it has no text column; so are lines of text beside files
    with columns.

    Args:
        has_text: whether a file of a format has the text column of the source; None where it
            cannot be read.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for file, format in files:
        count, size = sizes.get(format, (0, 0))
        sizes[format] = count + 1, size + int(file.info.get("size") or 0)
    main = max(sizes, key=lambda format: sizes[format], default="")

    def belongs(file: Found, format: str) -> bool:
        words = re.split(r"[^a-z0-9]+", PurePosixPath(file.name.lower()).name)
        about, odd = not _ABOUT.isdisjoint(words[:-1]), format != main
        if not (odd or about):
            return True
        found = has_text(file, format)  # also refuses what stands in the place of data
        if format == "text":
            return not odd
        cut = not formats()[format].PACKED and format == main  # its first bytes say nothing
        return (not about or cut) if found is None else found

    kept = [(file, format) for file, format in files if belongs(file, format)]
    return kept or files


def _json_of(source: Source, file: Found) -> dict[str, Any]:
    size = int(file.info.get("size") or 0)
    item = InputFile(file.path, "json", None, size, "", file.name)
    with storage_errors(file.path), open_raw(source, item) as raw:
        content = raw.read()
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
