"""Listing the files of a corpus: a file, a folder, a glob or the URI of a store."""

import glob
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from nocturna.tasks.addresses import is_remote, redact
from nocturna.tasks.corpus.hub import pinned
from nocturna.tasks.corpus.storage import filesystem, storage_errors
from nocturna.tasks.errors import UsageError

log = logging.getLogger(__name__)

_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class Found:
    """A file of the listing: its path, its path inside what was given, what the store says."""

    path: str
    name: str
    info: dict[str, Any]


def list_files(path: str) -> tuple[list[Found], str]:
    """The files that a path, folder, glob or URI stands for, in order, and which of these it is.

    Raises:
        UsageError: if there is nothing of that name, or it may not be read.
        Transient: if a store does not answer.
    """
    if path.startswith(("file://", "local://")):
        local = path.split("://", 1)[1]
        path = local if Path(local).exists() else unquote(local)
    return _list_remote(pinned(path)) if is_remote(path) else _list_local(path)


def _list_local(path: str) -> tuple[list[Found], str]:
    given = Path(path).expanduser().absolute()
    given = Path(os.path.normpath(given))
    with storage_errors(str(given)):
        if given.is_dir():
            return list(_walk(given)), "folder"
        if given.exists():
            if not stat.S_ISREG(given.stat().st_mode):
                raise UsageError(f"{given}: not a regular file; give a file, folder or glob")
            return [_local_file(given, given.name)], "file"
        if not _GLOB & set(path):
            raise UsageError(f"{given}: not found; check the path")
        return list(_matches(given)), "glob"


def _matches(given: Path) -> Iterator[Found]:
    """The files that a pattern means, and all of those in the folders that it means."""
    top = _glob_root(str(given), os.path.exists)
    root, pattern = Path(top or "/"), glob.escape(top) + str(given).removeprefix(top)
    matches = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207
    folders = {match for match in matches if match.is_dir()}
    for match in matches:
        if not folders.isdisjoint(match.parents):
            continue  # it is read with the folder
        inside = match.relative_to(root)
        if match in folders:
            yield from (replace(f, name=(inside / f.name).as_posix()) for f in _walk(match))
        elif match.is_file():
            yield _local_file(match, inside.as_posix())


def _walk(root: Path) -> Iterator[Found]:
    def fail(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    files: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        files.extend(Path(folder, name) for name in names)
    by_name = {file.relative_to(root).as_posix(): file for file in files}
    for name in sorted(by_name):
        if by_name[name].is_file():
            yield _local_file(by_name[name], name)
        else:
            log.warning("%s: left out, it is not a regular file or its link is broken", name)


def _local_file(path: Path, name: str) -> Found:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!r}: the file's name is not UTF-8; rename it") from None
    return Found(str(path), name, {"size": path.stat().st_size})


def _glob_root(pattern: str, exists: Callable[[str], bool]) -> str:
    """What stands before the first part of a path that is a pattern, and not there by that name."""
    parts = pattern.split("/")
    for at, part in enumerate(parts):
        if _GLOB & set(part) and not exists("/".join(parts[: at + 1])):
            return "/".join(parts[:at])
    return pattern


def _list_remote(uri: str) -> tuple[list[Found], str]:
    fs, path = filesystem(uri)
    with storage_errors(uri):
        info = _info(fs, path)
        if info is not None and info.get("type") != "directory":
            return [Found(redact(uri), PurePosixPath(redact(uri)).name, info)], "file"
        if info is None and _GLOB & set(path):
            root, details = _remote_matches(fs, path)
            kind = "glob"
        else:
            details = fs.find(path, detail=True)
            root, kind = path, "folder"
        if not details:
            raise UsageError(f"{redact(uri)}: not found; check the path")
        root = root.rstrip("/") + "/"
        return [
            Found(redact(fs.unstrip_protocol(p)), p.removeprefix(root), info)
            for p, info in sorted(details.items())
            if info.get("type") != "directory"
        ], kind


def _remote_matches(fs: Any, path: str) -> tuple[str, dict[str, Any]]:
    """As `_matches`, of a store: what stands before the pattern, and what is said of each file."""
    root = _glob_root(path, lambda part: _info(fs, part) is not None)
    details = fs.glob(glob.escape(root) + path.removeprefix(root), detail=True)
    folders = {p.rstrip("/") for p, info in details.items() if info.get("type") == "directory"}
    for folder in folders:
        if folders.isdisjoint(parent.as_posix() for parent in PurePosixPath(folder).parents):
            details |= fs.find(folder, detail=True)
    return root, details


def _info(fs: Any, path: str) -> dict[str, Any] | None:
    """What a store says of a path; None if it has nothing of that name."""
    try:
        return fs.info(path)
    except FileNotFoundError:
        return None


def remote_file(uri: str) -> Found:
    """One remote file; its name is its path below the host, or inside its data set."""
    fs, path = filesystem(uri)
    with storage_errors(uri):
        name = path.rpartition("@")[2].partition("/")[2] if uri.startswith("hf://") else path
        return Found(redact(uri), name.lstrip("/"), fs.info(path))
