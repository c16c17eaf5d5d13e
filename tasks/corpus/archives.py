"""Files inside of zip and tar archives: each is an input, and none is ever unpacked to its name.

The address of a member is `zip://member::archive` or `tar://member::archive`.
"""

import logging
from collections.abc import Callable
from pathlib import PurePosixPath

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.file_names import archive_kind
from nocturna.tasks.corpus.listing import Found
from nocturna.tasks.corpus.opened_archives import contents_of, state_of_archive
from nocturna.tasks.corpus.storage import mark_of
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

log = logging.getLogger(__name__)


def with_members(source: Source, found: list[Found], leave: Callable[[Found], bool]) -> list[Found]:
    """Files with those inside of the archives among them in place of these.

    Args:
        leave: whether an archive is not to be opened.
    """
    out: list[Found] = []
    for file in found:
        whole = "archive" in file.info or archive_kind(file.name) is None or leave(file)
        out += [file] if whole else members_of(source, file)
    return out


def refuse_nested(file: Found) -> None:
    """Refuses an archive in an archive.

    Raises:
        UsageError: naming both.
    """
    if "archive" in file.info and archive_kind(file.name):
        raise UsageError(f"{file.path}: is an archive inside another one; {_way_out(file)}")


def refuse_unread(file: Found) -> Found:
    """The file, unless it is a member of an archive that cannot be read.

    Raises:
        UsageError: saying why.
    """
    if why := file.info.get("refused"):
        raise UsageError(f"{file.path}: {why}; {_way_out(file)}")
    return file


def _way_out(file: Found) -> str:
    return f"unpack it first, or leave it out with --exclude {file.name!r}"


def members_of(source: Source, file: Found) -> list[Found]:
    """The files inside of an archive, in the order of their names; others than files are left out.

    Raises:
        UsageError: it is corrupt, or would unpack to too much.
        Transient: its store does not answer.
    """
    kind = str(archive_kind(file.name))
    if "::" in file.path:
        raise UsageError(f"{file.path}: an archive whose name has '::' is not read; rename it")
    found = contents_of(source, kind, file.path, state_of_archive(source, file.path))
    if found.odd:
        log.warning("%s: left out, as no regular files: %d, such as links", file.name, found.odd)
    if found.replaced:
        log.warning("%s: left out, as replaced by later ones: %d", file.name, found.replaced)
    mark = mark_of(source, file.path, file.info) if is_remote(file.path) else None
    return [
        Found(
            f"{kind}://{member.name}::{file.path}",
            f"{file.name}/{_harmless(member.name)}",
            {
                "size": member.size,
                "stored": member.stored,
                "refused": member.refused,
                "archive": file.name,
                **({"mark": f"{mark}/{member.name}" if mark else ""} if mark is not None else {}),
            },
        )
        for member in sorted(found.members.values(), key=lambda one: one.name)
    ]


def _harmless(name: str) -> str:
    """The path of a member below its archive, whatever else it says."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in ("/", "..")) or "_"
