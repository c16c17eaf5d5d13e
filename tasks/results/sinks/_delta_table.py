"""A snapshot as a Delta table: for object stores, where there are no links to flip.

The parts of a snapshot are put under the table's address as they are, and one transaction adds
them to the table and removes those that left the snapshot: a reader of the table sees one snapshot
or the other. What the table holds is compared with what it should hold, so that it does not matter
where an earlier attempt was killed, or how many nights it missed.
"""

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.results.layout import Layout, bare_name
from nocturna.tasks.results.log_entries import Snapshot, committed
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.sinks._delta_columns import same_table_columns, table_schema
from nocturna.tasks.results.sinks._delta_store import (
    OPTIONS,
    damaged,
    open_store,
    put_missing,
    put_part,
    shown,
    store_errors,
    table_uri,
)

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable, Schema

TRIES = 10
"""How often to look again when another writer was faster."""

PROPERTIES = {"delta.deletedFileRetentionDuration": "interval 24 hours"}
"""Readers of an older version have as long to finish as readers of an older snapshot."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mirrored:
    """Where a snapshot can be read as a table.

    Attributes:
        uri: address of the table; a local one is a path.
        version: a version of the table that holds the snapshot.
    """

    uri: str
    version: int


def mirror(layout: Layout, snapshot: Snapshot, table: str) -> Mirrored:
    """Makes a Delta table hold a snapshot, and nothing else.

    Call it with the lock held. A table that holds the snapshot already is left as it is. Files
    that left the table 24 hours ago, or as long ago as its `delta.deletedFileRetentionDuration`
    says, are deleted.

    Args:
        table: path or URI; the table is made if it is missing.

    Raises:
        UsageError: the table is not this job's.
        NocturnaError: the store refuses, or the table holds a later snapshot.
        Transient: the store does not answer, or other writers were always faster.
    """
    uri, schema = table_uri(table), _schema(snapshot.parts[0])
    with store_errors(uri):
        store = open_store(uri)
        found = _open(uri, layout, snapshot)
        if found is not None:
            _delete_old_files(found)
        for _ in range(TRIES):
            found = _open(uri, layout, snapshot)
            change = _change(found, snapshot, schema)
            put_missing(store, change.keep)
            if found is not None and change.is_none:
                return Mirrored(shown(uri), found.version())
            for name, part in change.add.items():
                put_part(store, part, name)
            _commit(uri, found, change, schema, _properties(layout, snapshot), layout.job_name)
    raise Transient(f"{shown(uri)}: other writers change the table all the time")


@dataclass(frozen=True)
class _Change:
    """What a transaction has to do.

    Attributes:
        add: parts by the name that they get in the table.
        remove: sizes in bytes by the path that the table knows the file by.
        columns: whether the table has other columns until now.
        keep: parts that the table has already, by the path that it knows the file by.
    """

    add: dict[str, PartFile]
    remove: dict[str, int]
    columns: bool
    keep: dict[str, PartFile] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        return not (self.add or self.remove or self.columns)


def _schema(part: PartFile) -> "Schema":
    try:
        return table_schema(schema_of(part.path))
    except (OSError, pa.ArrowException):
        raise damaged(part) from None


def _open(uri: str, layout: Layout, snapshot: Snapshot) -> "DeltaTable | None":
    """The newest version of the table; None if there is no table yet."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(uri, storage_options=OPTIONS)
    except TableNotFoundError:
        return None
    if table.metadata().name != _name(layout.job_name):
        raise UsageError(
            f"output.table: {shown(uri)} is a table that job {layout.job_name!r} did not make; "
            "name another place"
        )
    ahead = table.transaction_version(_writer(layout))
    if ahead is not None and ahead > snapshot.number:
        raise NocturnaError(
            f"{shown(uri)}: holds snapshot {ahead}, but the newest in {layout.root} is "
            f"{snapshot.number}: was that folder restored from a copy? Move the table away or "
            "name another one"
        )
    return table


def _change(table: "DeltaTable | None", snapshot: Snapshot, schema: "Schema") -> _Change:
    wanted = {bare_name(part.name): part for part in snapshot.parts}
    if table is None:
        return _Change(wanted, {}, True)
    held = pa.table(table.get_add_actions()).select(["path", "size_bytes"]).to_pylist()
    there = {bare_name(file["path"]): file["path"] for file in held}
    columns = not same_table_columns(table.schema(), schema)
    if columns:
        renamed = {part.name if name in there else name: part for name, part in wanted.items()}
        return _Change(renamed, {}, True)
    return _Change(
        {name: part for name, part in wanted.items() if name not in there},
        {f["path"]: f["size_bytes"] for f in held if bare_name(f["path"]) not in wanted},
        False,
        {path: wanted[name] for name, path in there.items() if name in wanted},
    )


def _commit(
    uri: str,
    table: "DeltaTable | None",
    change: _Change,
    schema: "Schema",
    properties: "CommitProperties",
    job: str,
) -> None:
    """One transaction; nothing happens if another writer was faster since `table` was opened."""
    from deltalake.exceptions import CommitFailedError, DeltaError
    from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

    now = int(time.time() * 1000)
    added = [
        AddAction(name, part.bytes, {}, now, True, json.dumps({"numRecords": part.rows}))
        for name, part in change.add.items()
    ]
    removed = [RemoveAction(path, True, now, size, {}) for path, size in change.remove.items()]
    try:
        if table is None:
            create_table_with_add_actions(
                uri,
                schema,
                added,
                name=_name(job),
                description=f"Results of the Nocturna job {job!r}, one row a document.",
                configuration=PROPERTIES,
                storage_options=OPTIONS,
                commit_properties=properties,
            )
        else:
            # appending keeps the columns as they are; overwriting sets them and removes all files
            table.create_write_transaction(
                [*added, *removed],
                mode="overwrite" if change.columns else "append",
                schema=schema,
                commit_properties=properties,
            )
    except CommitFailedError:
        return
    except DeltaError as error:
        if "already exists" not in str(error):
            raise


def _properties(layout: Layout, snapshot: Snapshot) -> "CommitProperties":
    from deltalake import CommitProperties, Transaction

    about = {"job": layout.job_name, "run": snapshot.run_id, "snapshot": snapshot.number}
    return CommitProperties(
        custom_metadata={"nocturna": about},
        max_commit_retries=0,
        app_transactions=[Transaction(_writer(layout), snapshot.number)],
    )


def _delete_old_files(table: "DeltaTable") -> None:
    """Deletes the files that left the table long ago.

    Call it before a commit: that may write a checkpoint, which forgets them.
    """
    from deltalake.exceptions import DeltaError

    try:
        table.vacuum(dry_run=False)
    except (OSError, DeltaError) as error:
        line = str(error).strip().splitlines()[0]
        _log.warning("%s: old files could not be deleted: %s", table.table_uri, line)


def _name(job: str) -> str:
    return f"nocturna/{job}"


def _writer(layout: Layout) -> str:
    """Names this output folder in transactions: numbers of another one mean nothing here."""
    return f"{_name(layout.job_name)}/{committed(layout)[0].run_id}"
