"""What a night has to do: the documents that are new or changed, and answers of another config.

Documents and rows are compared in buckets, by a hash of their id: what is joined at a time stays
the same however many there are.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import Bad, set_aside
from nocturna.tasks.results.fates import (
    FATES,
    Wanted,
    count_asked,
    count_reissued,
    find_respelt,
    make_fates,
)
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import Snapshot, current_snapshot
from nocturna.tasks.results.parts import is_whole
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.sql import connect, literal, texts_list

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

BUCKET_ROWS = 5_000_000


@dataclass(frozen=True)
class Difference:
    """How a corpus differs from the snapshot that it was compared with.

    Attributes:
        base: number of that snapshot; 0 if there was none.
        new: documents that it does not have.
        changed: documents whose text is another now.
        reconfigured: documents of the same text that lack an answer or have one of another config.
        retried: documents that failed for a reason that may have passed; all others where
            everything is to be scored again.
        rewritten: documents that need no answer, but whose kept columns are others now.
        unchanged: documents whose rows are carried over.
        vanished: rows whose document is no longer in the corpus.
        drop_vanished: whether those leave the results.
        reissued: of the vanished, those whose text a new document has (see `count_reissued`).
        damaged: names of parts of the snapshot that are not what was published; their documents
            are new.
        respelt: how many of the vanished come again under their id in another spelling, and such an
            id before and now.
        asked: documents that need an answer, by its name.
    """

    base: int
    new: int
    changed: int
    reconfigured: int
    retried: int
    rewritten: int
    unchanged: int
    vanished: int
    drop_vanished: bool
    damaged: tuple[str, ...] = ()
    reissued: int = 0
    respelt: tuple[int, str, str] = (0, "", "")
    asked: Mapping[str, int] = field(default_factory=dict)

    @property
    def to_score(self) -> int:
        return self.new + self.changed + self.reconfigured + self.retried

    @property
    def carried(self) -> int:
        """Rows of the snapshot that the next one has too."""
        return self.unchanged + (0 if self.drop_vanished else self.vanished)


def find_difference(
    layout: Layout,
    run_id: str,
    wanted: Wanted,
    full: bool = False,
    drop_vanished: bool = False,
    bucket_rows: int = BUCKET_ROWS,
) -> Difference:
    """Compares a run's documents with the current snapshot, on disk where memory is short.

    A row is carried over if its document has the same id and text, if every answer of it has
    tonight's config and if its kept columns are the same; or if it failed then for the reason for
    which it would fail now. Where only some answers have another config, only those are asked.

    Args:
        run_id: the run; the index of its documents is complete.
        wanted: what tonight's rows must say.
        full: whether to ask everything of every document again.
        drop_vanished: whether rows of documents that are gone leave the results.
        bucket_rows: documents and rows together that are compared at a time, about.

    Returns:
        the counts; which documents and rows they are is kept in the run's work folder, for
        `wanted_by_chunk` and `dead_rows`.
    """
    snapshot, damaged = _readable(current_snapshot(layout))
    _tell_damaged(layout, damaged)
    documents, dead = _files(layout, run_id)
    leaving = "('changed', 'reconfigured', 'retried', 'rewritten', 'vanished')"
    if not drop_vanished:
        leaving = leaving.replace(", 'vanished'", "")
    names = texts_list(part.name for part in snapshot.parts) if snapshot else texts_list(())
    with files.clear_errors(layout.root):
        files.make_folder(documents.parent, private=True)
        with connect(layout) as database:
            make_fates(database, layout.index(run_id), snapshot, wanted, full, bucket_rows)
            counts = dict(
                database.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall()
            )
            asked = count_asked(database, wanted)
            gone, reissued, respelt = counts.get("vanished", 0), 0, (0, "", "")
            if gone:
                reissued = count_reissued(database)
                respelt = find_respelt(database, layout.index(run_id), snapshot)
            _save(
                database,
                "SELECT chunk, position, bytes, needs, "
                f"list_extract({names}, part) AS part, row FROM fates "
                "WHERE fate <> 'vanished' ORDER BY chunk, position",
                documents,
            )
            _save(
                database,
                f"SELECT list_extract({names}, part) AS part, row FROM fates "
                f"WHERE fate IN {leaving} ORDER BY fates.part, row",
                dead,
            )
    touched = sum(counts.values()) - counts.get("new", 0)
    counts["unchanged"] = (snapshot.rows if snapshot else 0) - touched
    return Difference(
        base=snapshot.number if snapshot else 0,
        drop_vanished=drop_vanished,
        damaged=tuple(part.name for part in damaged),
        reissued=reissued,
        respelt=respelt,
        asked=asked,
        **{fate: counts.get(fate, 0) for fate in FATES},
    )


def base_is_whole(layout: Layout, difference: Difference) -> bool:
    """Whether what a run was compared with, some time ago, is still what is published."""
    snapshot = current_snapshot(layout)
    if snapshot is None:
        return difference.base == 0
    parts = [part for part in snapshot.parts if part.name not in difference.damaged]
    return difference.base == snapshot.number and all(map(is_whole, parts))


def set_damaged_aside(layout: Layout, difference: Difference) -> None:
    """Moves the damaged parts of the snapshot before to `damaged/`, once another took its place."""
    folder = layout.snapshot(difference.base)
    bad = [Bad(folder / name, "was damaged and is replaced") for name in difference.damaged]
    set_aside(layout, "parts", [one for one in bad if files.is_there(one.path)])


def describe(difference: Difference) -> str:
    """One line that says what a night has to do, before it does it."""
    fates = {
        "new": difference.new,
        "changed": difference.changed,
        _other_configs(difference): difference.reconfigured,
        "to be tried again": difference.retried,
    }
    why = ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)
    gone = "dropped" if difference.drop_vanished else "kept"
    vanished = (
        f"; {difference.vanished:,} rows of vanished documents {gone}"
        if difference.vanished
        else ""
    )
    kept = f"; {difference.rewritten:,} with other kept columns" if difference.rewritten else ""
    total = difference.to_score + difference.rewritten + difference.unchanged
    return (
        f"{difference.to_score:,} of {total:,} documents to score{f': {why}' if why else ''}"
        f"{kept}{vanished}"
    )


def _other_configs(difference: Difference) -> str:
    """Says which answers are asked anew of documents that did not change."""
    anew = difference.new + difference.changed + difference.retried
    names = [name for name, count in difference.asked.items() if count > anew]
    return f"for {', '.join(names)} anew" if names else "with another configuration"


def wanted_weight(layout: Layout, run_id: str) -> tuple[int, int]:
    """How many documents get a new row, and the bytes of their texts."""
    rows = size = 0
    with pq.ParquetFile(_files(layout, run_id)[0], pre_buffer=False) as content:
        for batch in content.iter_batches(columns=["bytes"]):
            rows += batch.num_rows
            size += pc.sum(batch["bytes"]).as_py() or 0
    return rows, size


def wanted_by_chunk(layout: Layout, run_id: str) -> Iterator[tuple[int, pa.Table]]:
    """The documents that get a new row, chunk by chunk of the index, in order.

    Returns:
        the chunk, and a table of `position` (from 0 in the chunk); `needs`, a bit for each answer
        of `Wanted.answers`; `part` and `row` (from 0) of the row that each had, null where it had
        none.
    """
    waiting: list[pa.RecordBatch] = []
    current = -1
    with pq.ParquetFile(_files(layout, run_id)[0], pre_buffer=False) as content:
        for batch in content.iter_batches():
            chunks = batch["chunk"].to_numpy()
            starts = np.flatnonzero(np.diff(chunks, prepend=-1))
            for start, stop in zip(starts, [*starts[1:], len(chunks)], strict=True):
                if chunks[start] != current and waiting:
                    yield current, pa.Table.from_batches(waiting)
                    waiting = []
                current = int(chunks[start])
                waiting.append(batch.slice(start, stop - start))
    if waiting:
        yield current, pa.Table.from_batches(waiting)


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
    folder = layout.work(run_id) / "difference"
    return folder / "documents.parquet", folder / "dead.parquet"


def _save(database: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    temporary = files.temporary_of(path)
    database.execute(f"COPY ({query}) TO {literal(str(temporary))} (FORMAT parquet)")
    files.put_whole(temporary, path)
