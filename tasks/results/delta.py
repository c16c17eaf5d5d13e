"""What a night has to score: the documents that are new or changed since the current snapshot.

Documents and rows are compared in buckets, by a hash of their id: what is joined at a time stays
the same however many there are.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.results import files
from tasks.results.damaged import Bad, set_aside
from tasks.results.layout import Layout
from tasks.results.log_entries import Snapshot, current_snapshot
from tasks.results.parts import is_whole
from tasks.results.records import PartFile
from tasks.results.sql import connect, literal

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

MEMORY = "1GB"
BUCKET_ROWS = 5_000_000
FATES = ("new", "changed", "reconfigured", "retried", "unchanged", "vanished")


@dataclass(frozen=True)
class Delta:
    """How a corpus differs from the snapshot that it was compared with.

    Attributes:
        base: number of that snapshot; 0 if there was none.
        new: documents that it does not have.
        changed: documents whose text is another now.
        reconfigured: documents of the same text that another configuration scored.
        retried: documents that failed for a reason that may have passed; all others where
            everything is to be scored again.
        unchanged: documents whose rows are carried over.
        vanished: rows whose document is no longer in the corpus.
        drop_vanished: whether those leave the results.
        damaged: names of parts of the snapshot that are not what was published; their documents
            are new.
    """

    base: int
    new: int
    changed: int
    reconfigured: int
    retried: int
    unchanged: int
    vanished: int
    drop_vanished: bool
    damaged: tuple[str, ...] = ()

    @property
    def to_score(self) -> int:
        return self.new + self.changed + self.reconfigured + self.retried

    @property
    def carried(self) -> int:
        """Rows of the snapshot that the next one has too."""
        return self.unchanged + (0 if self.drop_vanished else self.vanished)


def find_delta(
    layout: Layout,
    run_id: str,
    config_id: str,
    full: bool = False,
    drop_vanished: bool = False,
    bucket_rows: int = BUCKET_ROWS,
) -> Delta:
    """Compares a run's documents with the current snapshot, on disk where memory is short.

    A row is carried over if its document has the same id and text, and if the same configuration
    scored it, or it failed then for the reason for which it would fail now.

    Args:
        run_id: the run; the index of its documents is complete.
        full: whether to score every document again.
        drop_vanished: whether rows of documents that are gone leave the results.
        bucket_rows: documents and rows together that are compared at a time, about.

    Returns:
        the counts; which documents and rows they are is kept in the run's work folder, for
        `wanted_ids` and `dead_rows`.
    """
    snapshot, damaged = _readable(current_snapshot(layout))
    _tell_damaged(layout, damaged)
    wanted, dead = _files(layout, run_id)
    leaving = "('changed', 'reconfigured', 'retried', 'vanished')"
    if not drop_vanished:
        leaving = leaving.replace(", 'vanished'", "")
    with files.clear_errors(layout.root):
        files.make_folder(wanted.parent, private=True)
        with connect(layout, MEMORY) as database:
            _compare(database, layout.index(run_id), snapshot, config_id, full, bucket_rows)
            counts = dict(
                database.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall()
            )
            _save(
                database,
                "SELECT shard, doc_id FROM fates WHERE fate <> 'vanished' ORDER BY shard, position",
                wanted,
            )
            names = _list(part.name for part in snapshot.parts) if snapshot else _list(())
            _save(
                database,
                f"SELECT list_extract({names}, part) AS part, row FROM fates "
                f"WHERE fate IN {leaving} ORDER BY fates.part, row",
                dead,
            )
    touched = sum(counts.values()) - counts.get("new", 0)
    counts["unchanged"] = (snapshot.rows if snapshot else 0) - touched
    return Delta(
        base=snapshot.number if snapshot else 0,
        drop_vanished=drop_vanished,
        damaged=tuple(part.name for part in damaged),
        **{fate: counts.get(fate, 0) for fate in FATES},
    )


def base_is_whole(layout: Layout, delta: Delta) -> bool:
    """Whether what a run was compared with, some time ago, is still what is published."""
    snapshot = current_snapshot(layout)
    if snapshot is None:
        return delta.base == 0
    parts = [part for part in snapshot.parts if part.name not in delta.damaged]
    return delta.base == snapshot.number and all(map(is_whole, parts))


def set_damaged_aside(layout: Layout, delta: Delta) -> None:
    """Moves the damaged parts of the snapshot before to `damaged/`, once another took its place."""
    folder = layout.snapshot(delta.base)
    bad = [Bad(folder / name, "was damaged and is replaced") for name in delta.damaged]
    set_aside(layout, "parts", [one for one in bad if files.is_there(one.path)])


def describe(delta: Delta) -> str:
    """One line that says what a night has to do, before it does it."""
    fates = {
        "new": delta.new,
        "changed": delta.changed,
        "scored with another configuration": delta.reconfigured,
        "to be tried again": delta.retried,
    }
    why = ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)
    gone = "dropped" if delta.drop_vanished else "kept"
    vanished = f"; {delta.vanished:,} rows of vanished documents {gone}" if delta.vanished else ""
    total = delta.to_score + delta.unchanged
    return (
        f"{delta.to_score:,} of {total:,} documents to score{f': {why}' if why else ''}{vanished}"
    )


def wanted_ids(layout: Layout, run_id: str, shard: int) -> pa.Array:
    """The ids of the documents of a shard that are to be scored, in the order of the shard."""
    path = _files(layout, run_id)[0]
    table = pq.read_table(path, columns=["doc_id"], filters=[("shard", "=", shard)])
    return table["doc_id"].combine_chunks()


def dead_rows(layout: Layout, run_id: str) -> dict[str, npt.NDArray[np.int64]]:
    """Row numbers, from 0, that the next snapshot leaves out, by the name of their part."""
    found: dict[str, list[npt.NDArray[np.int64]]] = {}
    path = _files(layout, run_id)[1]
    with pq.ParquetFile(path, read_dictionary=["part"], pre_buffer=False) as content:
        for batch in content.iter_batches():
            names, rows = batch["part"], batch["row"].to_numpy()
            starts = np.flatnonzero(np.diff(names.indices.to_numpy(), prepend=-1))
            parts = names.take(pa.array(starts)).to_pylist()
            for name, some in zip(parts, np.split(rows, starts[1:]), strict=True):
                found.setdefault(name, []).append(some)
    return {name: np.concatenate(some) for name, some in found.items()}


def _readable(snapshot: Snapshot | None) -> tuple[Snapshot | None, list[PartFile]]:
    """The snapshot without the parts that are not what was published, and those."""
    if snapshot is None:
        return None, []
    damaged = [part for part in snapshot.parts if not is_whole(part)]
    whole = tuple(part for part in snapshot.parts if part not in damaged)
    return replace(snapshot, parts=whole), damaged


def _tell_damaged(layout: Layout, damaged: list[PartFile]) -> None:
    if not damaged:
        return
    others = f" and {len(damaged) - 1:,} other parts" if len(damaged) > 1 else ""
    _log.warning(
        "%s%s: not what was published (damaged or gone): those documents are scored again; "
        "`nocturna rollback %s` shows an earlier snapshot instead",
        damaged[0].path,
        others,
        layout.root,
    )


def _files(layout: Layout, run_id: str) -> tuple[Path, Path]:
    folder = layout.work(run_id) / "delta"
    return folder / "wanted.parquet", folder / "dead.parquet"


def _compare(
    database: "duckdb.DuckDBPyConnection",
    index: Path,
    snapshot: Snapshot | None,
    config_id: str,
    full: bool,
    bucket_rows: int,
) -> None:
    """Makes the table `fates`: a row for each document that is not carried over unchanged.

    Its `part` counts the parts of the snapshot from 1.
    """
    parts = snapshot.parts if snapshot else ()
    documents = f"""
        SELECT shard, position, doc_id, content_hash, error_code
        FROM read_parquet({literal(str(index / "index-*.parquet"))})
        WHERE disposition <> 'duplicate_id'"""
    rows = f"""
        SELECT doc_id, content_hash, config_id <> {literal(config_id)} AS reconfigured, error_code,
            list_position({_list(p.name for p in parts)}, parse_filename(filename)) AS part,
            file_row_number AS row
        FROM read_parquet({_list(str(p.path) for p in parts)}, filename = true,
            file_row_number = true)
        WHERE true"""
    nothing = """
        SELECT '' AS doc_id, '' AS content_hash, false AS reconfigured, '' AS error_code,
            0 AS part, 0::BIGINT AS row
        WHERE false"""
    database.execute(
        """
        CREATE TEMP TABLE fates (
            shard INTEGER, position INTEGER, doc_id VARCHAR, part INTEGER, row BIGINT, fate VARCHAR
        )"""
    )
    total = _count(database, documents) + sum(part.rows for part in parts)
    buckets = 1 + total // bucket_rows
    for bucket in range(buckets):
        # a second argument, since the join puts rows by the hash of the id alone
        one = f"AND hash(doc_id, 'bucket') % {buckets} = {bucket}"
        database.execute(
            f"""
            INSERT INTO fates
            SELECT shard, position, doc_id, part, row,
                CASE
                    WHEN old.part IS NULL THEN 'new'
                    WHEN new.shard IS NULL THEN 'vanished'
                    WHEN new.content_hash IS DISTINCT FROM old.content_hash THEN 'changed'
                    WHEN old.reconfigured THEN 'reconfigured'
                    WHEN $full OR new.error_code IS DISTINCT FROM old.error_code THEN 'retried'
                    ELSE 'unchanged'
                END AS fate
            FROM ({documents} {one}) AS new
            FULL JOIN ({rows if parts else nothing} {one}) AS old USING (doc_id)
            WHERE fate <> 'unchanged'
            """,
            {"full": full},
        )


def _count(database: "duckdb.DuckDBPyConnection", query: str) -> int:
    found = database.execute(f"SELECT count(*) FROM ({query})").fetchone()
    return int(found[0]) if found else 0


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def _save(database: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    temporary = files.temporary_of(path)
    database.execute(f"COPY ({query}) TO {literal(str(temporary))} (FORMAT parquet)")
    files.put_whole(temporary, path)
