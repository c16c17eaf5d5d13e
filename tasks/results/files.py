"""The file operations that decide what survives a crash, each in one place.

Everything that makes, moves or removes a file of an output folder goes through this module, called
as `files.rename(...)`: a test replaces these functions to kill the process before and after each.
"""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from nocturna.tasks.errors import NocturnaError, Transient

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_MAY_PASS = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
_ADVICE = {
    errno.ENOSPC: "no space left: free some and run the same command again, it resumes",
    errno.EDQUOT: "disk quota used up: free some and run the same command again, it resumes",
    errno.EFBIG: "larger than a file may be here (ulimit -f): raise that limit and run the same "
    "command again, it resumes",
    errno.ENOTDIR: "is a file where a folder is needed: choose another folder with --out",
    errno.EROFS: "the file system is read-only: choose another folder with --out",
    errno.EACCES: "permission denied: choose another folder with --out or change its owner",
    errno.EPERM: "operation not permitted: choose another folder with --out or change its owner",
}


def make_folder(path: Path, private: bool = False) -> None:
    """Makes a folder and its parents, each durable; an existing folder is left as it is.

    Args:
        private: whether it holds text, so that only its owner may look into it, and into those of
            its parents that are made.
    """
    if path.is_dir():
        return
    make_folder(path.parent, private)
    try:
        path.mkdir(0o700 if private else 0o777, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    fsync(path.parent)


def listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing where there is none or it cannot be read.

    A link to a folder is none: what is behind it is not ours.
    """
    if not is_folder(folder):
        return []
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def is_folder(path: Path) -> bool:
    """Whether there is a folder, and not a link to one."""
    return stat.S_ISDIR(_mode(path))


def is_file(path: Path) -> bool:
    """Whether there is a file, and not a link to one."""
    return stat.S_ISREG(_mode(path))


def is_there(path: Path) -> bool:
    """Whether there is anything of that name: a file, a folder, a link, whatever it points to."""
    return _mode(path) != 0


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


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
    """Removes a folder and what is in it, file by file; symlinks are removed, not followed.

    A link in the place of the folder itself is left alone, with what is behind it.
    """
    if not is_folder(path):
        return
    for child in sorted(path.iterdir()):
        if is_folder(child):
            remove_folder(child)
        else:
            unlink(child)
    path.rmdir()


def remove_empty(path: Path) -> None:
    """Removes a folder that has nothing in it; any other is left as it is."""
    if is_folder(path):
        with suppress(OSError):
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


def write_whole(path: Path, data: bytes, shared: bool = False) -> None:
    """Writes a file so that readers find the old content or the new, never a part of it.

    Args:
        shared: whether others may be writing it too, of whom the last one counts.
    """
    make_folder(path.parent)
    temporary = new_file(own_temporary_of(path) if shared else temporary_of(path))
    temporary.write_bytes(data)
    put_whole(temporary, path)


def put_whole(temporary: Path, path: Path) -> None:
    """Gives a file that was written under another name, in the same folder, its own; durable."""
    fsync(temporary)
    rename(temporary, path)
    fsync(path.parent)


def write_durable(path: Path, data: bytes) -> None:
    """Writes a file and waits until it is on the disk."""
    new_file(path).write_bytes(data)
    fsync(path)


def put_folder(temporary: Path, path: Path) -> None:
    """Gives a folder of files that was made under another name its own; durable, and whole."""
    for child in listed(temporary):
        fsync(child)
    fsync(temporary)
    remove_folder(path)
    rename(temporary, path)
    fsync(path.parent)


def new_file(path: Path, private: bool = False) -> Path:
    """An empty file to be written, in place of what a run that died left there of it.

    Args:
        private: whether it will hold text, so that only its owner may read it.
    """
    unlink(path)
    mode = 0o600 if private else 0o666
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode))
    return path


def temporary_of(path: Path) -> Path:
    """Where a file is written before it gets its name; no reader's glob matches it."""
    return path.with_name(f".{path.name}.tmp")


def own_temporary_of(path: Path) -> Path:
    """The same where another process, or another machine, may be writing the file too."""
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")


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


def said_of_full_disk(error: BaseException) -> str | None:
    """The line for a disk that is full, wherever that is; None for other errors."""
    number = _number_of(error)
    if number not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return None
    where = getattr(error, "filename", None) or "a temporary folder (TMPDIR) or standard output"
    return f"{where}: {_ADVICE[number]}"


def said_of_path(error: BaseException) -> str | None:
    """The line for a name that cannot be used and a current folder that is gone; None for others.

    Such a name is too long, or the user may not read or write it.
    """
    name = getattr(error, "filename", None)
    number = _number_of(error)
    if number in {errno.EACCES, errno.EPERM, errno.EROFS} and name:
        said = os.strerror(number).lower()
        return f"{name}: {said}: change its owner or rights, or name another place"
    if number == errno.ENAMETOOLONG:
        return f"{name or error}: the name of a file is too long for this disk; give a shorter one"
    try:
        Path.cwd()
    except OSError:
        return "the current folder is gone; change to one that is there"
    return None


def _number_of(error: BaseException) -> int:
    """The system's error number behind an error, 0 if there is none; DuckDB hides it in text."""
    if isinstance(error, OSError):
        return error.errno or 0
    if type(error).__module__.split(".")[0].strip("_") != "duckdb":
        return 0
    found = re.search(r'"errno": ?"(\d+)"', str(error))
    return int(found[1]) if found else 0
