"""The file operations that decide what survives a crash, each in one place.

Everything that makes, moves or removes a file of an output folder goes through this module, called
as `files.rename(...)`: a test replaces these functions to kill the process before and after each.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import NocturnaError, Transient

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_MAY_PASS = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
_ADVICE = {
    errno.ENOSPC: "no space left: free some and run the same command again, it resumes",
    errno.EDQUOT: "disk quota used up: free some and run the same command again, it resumes",
    errno.EROFS: "the file system is read-only: choose another folder with --out",
    errno.EACCES: "permission denied: choose another folder with --out or change its owner",
    errno.EPERM: "operation not permitted: choose another folder with --out or change its owner",
}


def make_folder(path: Path) -> None:
    """Makes a folder and its parents, each durable; an existing folder is left as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Makes a file's content, or a folder's list of names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(source: Path, target: Path) -> None:
    """Moves a file, symlink or folder in one step; an existing file or symlink is replaced."""
    source.replace(target)


def link(source: Path, target: Path) -> None:
    """Makes a hardlink, only if `target` does not exist.

    Raises:
        FileExistsError: if it does.
    """
    target.hardlink_to(source)


def symlink(target: str, path: Path) -> None:
    """Makes a symbolic link at `path` that holds `target`."""
    path.symlink_to(target)


def unlink(path: Path) -> None:
    """Removes a file or symlink; one that is gone already is fine."""
    path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Removes a folder and what is in it, file by file; symlinks are removed, not followed."""
    if not path.is_dir():
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.is_symlink():
            remove_folder(child)
        else:
            unlink(child)
    path.rmdir()


def link_or_copy(source: Path, target: Path) -> None:
    """Puts `source` at `target` by hardlink, or by a durable copy where links are impossible."""
    try:
        link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
        fsync(target)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that readers find the old content or the new, never a part of it."""
    make_folder(path.parent)
    temporary = temporary_of(path)
    write_durable(temporary, data)
    rename(temporary, path)
    fsync(path.parent)


def write_durable(path: Path, data: bytes) -> None:
    """Writes a file and waits until it is on the disk."""
    path.write_bytes(data)
    fsync(path)


def temporary_of(path: Path) -> Path:
    """Where a file is written before it gets its name; no reader's glob matches it."""
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turns storage errors into one line that says what, where and what to do.

    Args:
        path: folder that is being written, named where the error itself names no file.

    Raises:
        NocturnaError: no space, no permission or a read-only file system.
        Transient: an input/output error, which may pass by itself.
    """
    try:
        yield
    except Exception as error:
        number = _number_of(error)
        where = getattr(error, "filename", None) or path
        if number in _ADVICE:
            raise NocturnaError(f"{where}: {_ADVICE[number]}") from error
        if number in _MAY_PASS:
            raise Transient(f"{where}: {os.strerror(number)}") from error
        raise


def _number_of(error: Exception) -> int:
    """The system's error number behind an error, 0 if there is none; DuckDB hides it in text."""
    if isinstance(error, OSError):
        return error.errno or 0
    if type(error).__module__.split(".")[0].strip("_") != "duckdb":
        return 0
    found = re.search(r'"errno": ?"(\d+)"', str(error))
    return int(found[1]) if found else 0
