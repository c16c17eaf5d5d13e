"""The store of a table: its address, putting files there, and what goes wrong in plain words.

Files and log go through one client, that of `deltalake`: one set of credentials, those of the
environment, and no further driver.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow.fs as pafs

from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.parts import is_whole
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.store_errors import explained, last_line

OPTIONS = {"conditional_put": "etag", "max_retries": "3", "retry_timeout": "30s"}
"""A log entry is put only if it is absent; beyond a few retries the engine tries the task again."""


_log = logging.getLogger(__name__)
_TAKEN_OTHERWISE = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]\\|^\x00-\x1f\x7f]")
"""What of a local path its client unquotes, refuses or panics at, however it is written."""


def table_uri(table: str) -> str:
    """The address of a table as a URI; a local path becomes absolute."""
    if "://" not in table:
        return Path(table).expanduser().absolute().as_uri()
    return table.rstrip("/")


def shown(uri: str) -> str:
    """The address as a person writes it: a local one is a path."""
    return str(local_path(uri) or uri)


def local_path(uri: str) -> Path | None:
    """The folder of a local table; None for one in an object store."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def check_table(table: str, layout: Layout) -> None:
    """Checks, before any work, what can be known of a table without its store.

    Raises:
        UsageError: `deltalake` is not installed, or the table would lie in the output folder.
    """
    os.environ.setdefault("RUST_LOG", "error")
    if find_spec("deltalake") is None:
        raise UsageError("output.table needs deltalake: pip install 'nocturna[delta]'")
    folder = local_path(table_uri(table))
    odd = _TAKEN_OTHERWISE.search(str(folder))
    if folder is not None and odd:
        raise UsageError(
            f"output.table: {folder} has {odd[0]!r} in it, which deltalake takes for something "
            "else; name another place"
        )
    if folder is not None and folder.is_relative_to(layout.root):
        raise UsageError(
            f"output.table: {folder} is in the output folder {layout.root}, which holds what the "
            "table is made from; name another place"
        )


def open_store(uri: str) -> pafs.FileSystem:
    """The files under a table's address; a local folder is made if it is missing."""
    from deltalake.fs import DeltaStorageHandler

    folder = local_path(uri)
    if folder is not None:
        files.make_folder(folder)
    return pafs.PyFileSystem(DeltaStorageHandler(uri, OPTIONS))


def put_part(store: pafs.FileSystem, part: PartFile, name: str) -> None:
    """Copies a part to a store, byte for byte, unless it is there already.

    Names carry a hash of the content, so that the same name and size are the same file. A file
    gets its name when all of it has arrived.

    Raises:
        NocturnaError: the part was damaged on the disk.
        Transient: it did not arrive whole.
    """
    if store.get_file_info(name).size == part.bytes:
        return
    if not is_whole(part):
        raise damaged(part)
    pafs.copy_files(
        str(part.path),
        name,
        source_filesystem=pafs.LocalFileSystem(),
        destination_filesystem=store,
    )
    arrived = store.get_file_info(name).size
    if arrived != part.bytes:
        raise Transient(f"{name}: {arrived} of {part.bytes} bytes arrived in the store")


def put_missing(store: pafs.FileSystem, parts: Mapping[str, PartFile]) -> None:
    """Puts those parts again whose file somebody deleted or cut, though the table names it."""
    there = store.get_file_info(pafs.FileSelector("", recursive=False)) if parts else []
    sizes = {file.path: file.size for file in there}
    gone = {name: part for name, part in parts.items() if sizes.get(name) != part.bytes}
    for name, part in gone.items():
        put_part(store, part, name)
    if gone:
        _log.warning(
            "%s: %d of the table's files were gone, and are put again", next(iter(gone)), len(gone)
        )


def damaged(part: PartFile) -> NocturnaError:
    """What to say of a part that is no longer what was published."""
    return NocturnaError(
        f"{part.path}: a published part was damaged; restore it from a copy, "
        "or score again into another folder"
    )


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turns what a store or its client raises into one line about the table.

    Raises:
        NocturnaError: the bucket, the credentials or the table cannot be used as they are.
        Transient: the store does not answer.
    """
    from deltalake.exceptions import DeltaError

    try:
        yield
    except OSError as error:
        if local_path(uri) is None:
            raise explained(uri, str(error)) from None
        reason = error.strerror or last_line(error)
        raise NocturnaError(f"{shown(uri)}: the table cannot be written: {reason}") from None
    except DeltaError as error:
        raise NocturnaError(
            f"{shown(uri)}: the table cannot be used: {last_line(error)}; where its log is "
            "damaged, move the table away, and it is made anew"
        ) from None
