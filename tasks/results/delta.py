"""What a night has to do: the documents that are new or changed, and answers of another config.

Documents and rows are compared in buckets, by a hash of their id: what is joined at a time stays
the same however many there are.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
from tasks.results.parts import is_whole, schema_of
from tasks.results.records import PartFile
from tasks.results.sql import connect, literal, quoted

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

MEMORY = "1GB"
BUCKET_ROWS = 5_000_000
FATES = ("new", "changed", "reconfigured", "retried", "rewritten", "unchanged", "vanished")


@dataclass(frozen=True)
class Answer:
    """Something that a row says of a document, and when it must be asked anew.

    Attributes:
        name: of the score, or `summary`.
        config: that of tonight, for the column `<name>_config`.
        own_labels: the source column of a document's own labels, which `<name>_labels` holds.
        again: values of `<name>_status` that another night may turn into an answer.
    """

    name: str
    config: str
    own_labels: str | None = None
    again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the rows of the next snapshot must say.

    Attributes:
        answers: each one a row needs for itself.
        kept: the result column of each kept source column, whose values are always tonight's.
        columns: every column of the next snapshot.
    """

    answers: tuple[Answer, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delta:
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
        damaged: names of parts of the snapshot that are not what was published; their documents
            are new.
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
    asked: Mapping[str, int] = field(default_factory=dict)

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
    wanted: Wanted,
    full: bool = False,
    drop_vanished: bool = False,
    bucket_rows: int = BUCKET_ROWS,
) -> Delta:
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
        `wanted_documents` and `dead_rows`.
    """
    snapshot, damaged = _readable(current_snapshot(layout))
    _tell_damaged(layout, damaged)
    documents, dead = _files(layout, run_id)
    leaving = "('changed', 'reconfigured', 'retried', 'rewritten', 'vanished')"
    if not drop_vanished:
        leaving = leaving.replace(", 'vanished'", "")
    names = _list(part.name for part in snapshot.parts) if snapshot else _list(())
    with files.clear_errors(layout.root):
        files.make_folder(documents.parent, private=True)
        with connect(layout, MEMORY) as database:
            _compare(database, layout.index(run_id), snapshot, wanted, full, bucket_rows)
            counts = dict(
                database.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall()
            )
            asked = _asked(database, wanted)
            _save(
                database,
                f"SELECT shard, doc_id, needs, list_extract({names}, part) AS part, row FROM fates "
                "WHERE fate <> 'vanished' ORDER BY shard, position",
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
    return Delta(
        base=snapshot.number if snapshot else 0,
        drop_vanished=drop_vanished,
        damaged=tuple(part.name for part in damaged),
        asked=asked,
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
        _other_configs(delta): delta.reconfigured,
        "to be tried again": delta.retried,
    }
    why = ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)
    gone = "dropped" if delta.drop_vanished else "kept"
    vanished = f"; {delta.vanished:,} rows of vanished documents {gone}" if delta.vanished else ""
    kept = f"; {delta.rewritten:,} with other kept columns" if delta.rewritten else ""
    total = delta.to_score + delta.rewritten + delta.unchanged
    return (
        f"{delta.to_score:,} of {total:,} documents to score{f': {why}' if why else ''}"
        f"{kept}{vanished}"
    )


def _other_configs(delta: Delta) -> str:
    """Says which answers are asked anew of documents that did not change."""
    anew = delta.new + delta.changed + delta.retried
    names = [name for name, count in delta.asked.items() if count > anew]
    return f"for {', '.join(names)} anew" if names else "with another configuration"


def wanted_documents(layout: Layout, run_id: str, shard: int) -> pa.Table:
    """The documents of a shard that get a new row, in the order of the shard.

    Returns:
        `doc_id`; `needs`, a bit for each answer of `Wanted.answers`; `part` and `row` (from 0) of
        the row that they had, null where they had none.
    """
    path = _files(layout, run_id)[0]
    return pq.read_table(path, filters=[("shard", "=", shard)]).drop_columns(["shard"])


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
    return folder / "documents.parquet", folder / "dead.parquet"


def _compare(
    database: "duckdb.DuckDBPyConnection",
    index: Path,
    snapshot: Snapshot | None,
    wanted: Wanted,
    full: bool,
    bucket_rows: int,
) -> None:
    """Makes the table `fates`: a row for each document that is not carried over unchanged.

    Its `part` counts the parts of the snapshot from 1, its `needs` has a bit for each answer.
    """
    parts = snapshot.parts if snapshot else ()
    there = set(schema_of(parts[0].path).names) if parts else set()
    lists = {a.own_labels: f"list.{a.own_labels}" for a in wanted.answers if a.own_labels}
    more = [quoted(f"kept.{name}") for name in wanted.kept] + [quoted(c) for c in lists.values()]
    documents = f"""
        SELECT {", ".join(["shard, position, doc_id, content_hash, error_code", *more])}
        FROM read_parquet({literal(str(index / "index-*.parquet"))}, union_by_name = true)
        WHERE disposition <> 'duplicate_id'"""
    rows = f"""
        SELECT *, list_position({_list(p.name for p in parts)}, parse_filename(filename)) AS part,
            file_row_number AS row
        FROM read_parquet({_list(str(p.path) for p in parts)}, filename = true,
            file_row_number = true)
        WHERE true"""
    nothing = """
        SELECT '' AS doc_id, '' AS content_hash, '' AS error_code, 0 AS part, 0::BIGINT AS row
        WHERE false"""
    database.execute(
        """
        CREATE TEMP TABLE fates (
            shard INTEGER, position INTEGER, doc_id VARCHAR, part INTEGER, row BIGINT,
            needs BIGINT, fate VARCHAR
        )"""
    )
    every = (1 << len(wanted.answers)) - 1
    bits = [
        f"CASE WHEN {_stale(a, there)} THEN {1 << i} ELSE 0 END"
        for i, a in enumerate(wanted.answers)
    ]
    other = [
        f"new.{quoted(f'kept.{name}')} IS DISTINCT FROM old.{quoted(target)}"
        if target in there
        else "true"
        for name, target in wanted.kept.items()
    ]
    if set(wanted.columns) - there:
        other.append("true")
    total = _count(database, documents) + sum(part.rows for part in parts)
    buckets = 1 + total // bucket_rows
    for bucket in range(buckets):
        # a second argument, since the join puts rows by the hash of the id alone
        one = f"AND hash(doc_id, 'bucket') % {buckets} = {bucket}"
        database.execute(
            f"""
            INSERT INTO fates
            SELECT shard, position, doc_id, old.part, old.row,
                CASE
                    WHEN old.part IS NULL
                        OR new.content_hash IS DISTINCT FROM old.content_hash
                        OR new.error_code IS DISTINCT FROM old.error_code
                        OR $full THEN {every}
                    ELSE {" + ".join(bits) or "0"}
                END AS asked,
                CASE
                    WHEN old.part IS NULL THEN 'new'
                    WHEN new.shard IS NULL THEN 'vanished'
                    WHEN new.content_hash IS DISTINCT FROM old.content_hash THEN 'changed'
                    WHEN $full OR new.error_code IS DISTINCT FROM old.error_code THEN 'retried'
                    WHEN asked <> 0 THEN 'reconfigured'
                    WHEN {" OR ".join(other) or "false"} THEN 'rewritten'
                    ELSE 'unchanged'
                END AS fate
            FROM ({documents} {one}) AS new
            FULL JOIN ({rows if parts else nothing} {one}) AS old USING (doc_id)
            WHERE fate <> 'unchanged'
            """,
            {"full": full},
        )


def _stale(answer: Answer, there: set[str]) -> str:
    """Whether a row must be asked anew, as a condition on the documents and rows that meet."""
    config, status = f"{answer.name}_config", f"{answer.name}_status"
    if config not in there:
        return "true"
    tests = [f"old.{quoted(config)} IS DISTINCT FROM {literal(answer.config)}"]
    if answer.own_labels is not None:
        before = f"coalesce(old.{quoted(f'{answer.name}_labels')}, [])"
        tests.append(f"new.{quoted(f'list.{answer.own_labels}')} IS DISTINCT FROM {before}")
    if answer.again and status in there:
        tests.append(f"old.{quoted(status)} IN ({', '.join(map(literal, answer.again))})")
    return " OR ".join(tests)


def _asked(database: "duckdb.DuckDBPyConnection", wanted: Wanted) -> dict[str, int]:
    return {
        answer.name: _count(
            database, f"SELECT 1 FROM fates WHERE fate <> 'vanished' AND needs & {1 << bit} <> 0"
        )
        for bit, answer in enumerate(wanted.answers)
    }


def _count(database: "duckdb.DuckDBPyConnection", query: str) -> int:
    found = database.execute(f"SELECT count(*) FROM ({query})").fetchone()
    return int(found[0]) if found else 0


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def _save(database: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    temporary = files.temporary_of(path)
    database.execute(f"COPY ({query}) TO {literal(str(temporary))} (FORMAT parquet)")
    files.put_whole(temporary, path)
