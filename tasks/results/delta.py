"""What a night has to score: the documents that are new or changed since the current snapshot."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.results import files
from tasks.results.layout import Layout
from tasks.results.snapshots import Snapshot, current_snapshot
from tasks.results.sql import connect, literal

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
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
    """

    base: int
    new: int
    changed: int
    reconfigured: int
    retried: int
    unchanged: int
    vanished: int
    drop_vanished: bool

    @property
    def to_score(self) -> int:
        return self.new + self.changed + self.reconfigured + self.retried

    @property
    def carried(self) -> int:
        """Rows of the snapshot that the next one has too."""
        return self.unchanged + (0 if self.drop_vanished else self.vanished)


def find_delta(
    layout: Layout, run_id: str, config_id: str, full: bool = False, drop_vanished: bool = False
) -> Delta:
    """Compares a run's documents with the current snapshot, on disk where memory is short.

    A row is carried over if its document has the same id and text, and if the same configuration
    scored it, or it failed then for the reason for which it would fail now.

    Args:
        run_id: the run; the index of its documents is complete.
        full: whether to score every document again.
        drop_vanished: whether rows of documents that are gone leave the results.

    Returns:
        the counts; which documents and rows they are is kept in the run's work folder, for
        `wanted_ids` and `dead_rows`.
    """
    snapshot = current_snapshot(layout)
    wanted, dead = _files(layout, run_id)
    leaving = "('changed', 'reconfigured', 'retried', 'vanished')"
    if not drop_vanished:
        leaving = leaving.replace(", 'vanished'", "")
    with files.clear_errors(layout.root):
        files.make_folder(wanted.parent)
        with connect(layout, MEMORY) as database:
            _compare(database, layout.index(run_id), snapshot, config_id, full)
            counts = dict(
                database.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall()
            )
            _save(
                database,
                "SELECT shard, doc_id FROM fates WHERE fate NOT IN ('unchanged', 'vanished') "
                "ORDER BY shard, position",
                wanted,
            )
            _save(
                database,
                f"SELECT part, row FROM fates WHERE fate IN {leaving} ORDER BY part, row",
                dead,
            )
    return Delta(
        base=snapshot.number if snapshot else 0,
        drop_vanished=drop_vanished,
        **{fate: counts.get(fate, 0) for fate in FATES},
    )


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
    table = pq.read_table(_files(layout, run_id)[1])
    rows = table["row"].to_numpy()
    names = table["part"].combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    return {name: rows[codes == n] for n, name in enumerate(names.dictionary.to_pylist())}


def _files(layout: Layout, run_id: str) -> tuple[Path, Path]:
    folder = layout.work(run_id) / "delta"
    return folder / "wanted.parquet", folder / "dead.parquet"


def _compare(
    database: "duckdb.DuckDBPyConnection",
    index: Path,
    snapshot: Snapshot | None,
    config_id: str,
    full: bool,
) -> None:
    """Makes the table `fates`: one row for each document of the corpus or the snapshot."""
    paths = [str(part.path) for part in snapshot.parts] if snapshot else []
    documents = f"""
        SELECT shard, position, doc_id, content_hash, error_code
        FROM read_parquet({literal(str(index / "index-*.parquet"))})
        WHERE disposition <> 'duplicate_id'"""
    rows = f"""
        SELECT doc_id, content_hash, config_id, error_code,
            parse_filename(filename) AS part, file_row_number AS row
        FROM read_parquet([{", ".join(map(literal, paths))}], filename = true,
            file_row_number = true)"""
    nothing = """
        SELECT '' AS doc_id, '' AS content_hash, '' AS config_id, '' AS error_code,
            '' AS part, 0::BIGINT AS row
        WHERE false"""
    database.execute(
        f"""
        CREATE TEMP TABLE fates AS
        SELECT shard, position, doc_id, part, row,
            CASE
                WHEN old.part IS NULL THEN 'new'
                WHEN new.shard IS NULL THEN 'vanished'
                WHEN new.content_hash IS DISTINCT FROM old.content_hash THEN 'changed'
                WHEN old.config_id <> $config_id THEN 'reconfigured'
                WHEN $full OR new.error_code IS DISTINCT FROM old.error_code THEN 'retried'
                ELSE 'unchanged'
            END AS fate
        FROM ({documents}) AS new FULL JOIN ({rows if paths else nothing}) AS old USING (doc_id)
        """,
        {"config_id": config_id, "full": full},
    )


def _save(database: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    database.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet)")
    files.fsync(path)
