"""What becomes of each document and row of a night: one comparison, in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import DISPOSED
from nocturna.tasks.corpus.lots import chunk_in_sql, index_file, index_files
from nocturna.tasks.results.log_entries import Snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.sql import literal, quoted, rows_of, texts_list

if TYPE_CHECKING:
    import duckdb

_OF_DOCUMENTS = ("doc_id", "content_hash", "bytes", "error_code")
FATES = ("new", "changed", "reconfigured", "retried", "rewritten", "unchanged", "vanished")
ALMOST_ALL = 0.9
"""Share of the texts that vanished that come again where documents got other ids."""
_RESPELT = (
    (r"(^|[^0-9.])0+([0-9])", r"\1\2"),
    (r"([0-9])[.,]0+($|[^0-9.,])", r"\1\2"),
    (r"^(\w{8})-(\w{4})-(\w{4})-(\w{4})-(\w{12})$", r"\1\2\3\4\5"),
)
"""What an id may gain or lose when another program writes its column: zeros in front of its numbers
and behind their point, and the dashes of a UUID."""


@dataclass(frozen=True)
class Answer:
    """Something that a row says of a document, and when it must be asked anew.

    Attributes:
        name: of the score, or `summary`.
        config: that of tonight, for the column `<name>_config`.
        own_labels: the source column of a document's own labels, which `<name>_labels` holds.
        pair: the source column of the text that a document is read together with.
        again: values of `<name>_status` that another night may turn into an answer.
    """

    name: str
    config: str
    own_labels: str | None = None
    pair: str | None = None
    again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the rows of the next snapshot must say.

    Attributes:
        answers: each one a row needs for itself.
        kept: the result column of each kept source column, whose values are always tonight's.
        columns: of the next snapshot.
    """

    answers: tuple[Answer, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))


def make_fates(
    database: "duckdb.DuckDBPyConnection",
    index: Path,
    snapshot: Snapshot | None,
    wanted: Wanted,
    full: bool,
    bucket_rows: int,
) -> None:
    """Makes the table `fates`: a row for each document that is not carried over unchanged.

    Its `part` counts the parts of the snapshot from 1, its `needs` has a bit for each answer, its
    `text` is that of a new or vanished document, hashed, and its `twin` that with the id, however
    it is spelt.
    """
    parts = snapshot.parts if snapshot else ()
    before = schema_of(parts[0].path) if parts else pa.schema([])
    there = set(before.names)
    lists = {a.own_labels: f"list.{a.own_labels}" for a in wanted.answers if a.own_labels}
    more = [quoted(f"kept.{name}") for name in wanted.kept] + [quoted(c) for c in lists.values()]
    placed = ("filename = true", "file_row_number = true")
    documents = f"""
        SELECT {chunk_in_sql()} AS chunk,
            {", ".join(["file_row_number AS position", *_OF_DOCUMENTS, *more])}
        FROM {rows_of(index_files(index), "union_by_name = true", *placed)}
        WHERE disposition IN ({", ".join(map(literal, DISPOSED))})"""
    names, paths = texts_list(p.name for p in parts), [p.path for p in parts]
    rows = f"""
        SELECT doc_id, COLUMNS(*) AS 'was.\\0',
            list_position({names}, parse_filename(filename)) AS part, file_row_number AS row
        FROM {rows_of(paths, *placed)}
        WHERE true"""
    nothing = """
        SELECT '' AS doc_id, '' AS "was.content_hash", '' AS "was.error_code", 0 AS part,
            0::BIGINT AS row
        WHERE false"""
    database.execute(
        """
        CREATE TEMP TABLE fates (
            chunk INTEGER, position INTEGER, bytes BIGINT, part INTEGER, row BIGINT,
            needs BIGINT, fate VARCHAR, text UBIGINT, twin UBIGINT
        )"""
    )
    every = (1 << len(wanted.answers)) - 1
    bits = [
        f"CASE WHEN {stale(a, there, wanted.kept)} THEN {1 << i} ELSE 0 END"
        for i, a in enumerate(wanted.answers)
    ]
    other = [
        f"new.{quoted(f'kept.{name}')} IS DISTINCT FROM {_old(target)}"
        if target in there and _same_type(target, before, wanted.columns)
        else "true"
        for name, target in wanted.kept.items()
    ]
    if set(wanted.columns.names) - there:
        other.append("true")
    twin = (
        f"CASE WHEN text IS NOT NULL THEN hash(text, {_spelt('doc_id')}) END" if parts else "NULL"
    )
    total = _count(database, documents) + sum(part.rows for part in parts)
    buckets = 1 + total // bucket_rows
    for bucket in range(buckets):
        # a second argument, since the join puts rows by the hash of the id alone
        one = f"AND hash(doc_id, 'bucket') % {buckets} = {bucket}"
        database.execute(
            f"""
            INSERT INTO fates
            SELECT chunk, position, bytes, old.part, old.row,
                CASE
                    WHEN old.part IS NULL
                        OR new.content_hash IS DISTINCT FROM old."was.content_hash"
                        OR new.error_code IS DISTINCT FROM old."was.error_code"
                        OR $full THEN {every}
                    ELSE {" + ".join(bits) or "0"}
                END AS asked,
                CASE
                    WHEN old.part IS NULL THEN 'new'
                    WHEN new.chunk IS NULL THEN 'vanished'
                    WHEN new.content_hash IS DISTINCT FROM old."was.content_hash" THEN 'changed'
                    WHEN $full OR new.error_code IS DISTINCT FROM old."was.error_code"
                        THEN 'retried'
                    WHEN asked <> 0 THEN 'reconfigured'
                    WHEN {" OR ".join(other) or "false"} THEN 'rewritten'
                    ELSE 'unchanged'
                END AS fate,
                CASE
                    WHEN fate = 'new' AND new.error_code IS NULL THEN hash(new.content_hash)
                    WHEN fate = 'vanished' AND old."was.error_code" IS NULL
                        THEN hash(old."was.content_hash")
                END AS text,
                {twin} AS twin
            FROM ({documents} {one}) AS new
            FULL JOIN ({rows if parts else nothing} {one}) AS old USING (doc_id)
            WHERE fate <> 'unchanged'
            """,
            {"full": full},
        )


def _spelt(column: str) -> str:
    """An id as it is whoever has written it, in SQL: case, spaces and such digits aside.

    Numbers and moments are what they are worth, without a time zone.
    """
    around = literal(' \t"{}')
    text = plain = f"trim(upper(nfc_normalize({column})), {around})"
    for pattern, by in _RESPELT:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(by)}, 'g')"
    number, moment = f"try_cast({text} AS DECIMAL(38, 9))", f"try_cast({plain} AS TIMESTAMP)"
    return f"coalesce({number}::VARCHAR, {moment}::VARCHAR, {text})"


def _old(column: str) -> str:
    """A column of a row that is published, in SQL: kept ones may have any name."""
    return f"old.{quoted(f'was.{column}')}"


def _same_type(name: str, before: pa.Schema, now: pa.Schema) -> bool:
    """Whether a column is of one type in both; SQL would compare others by rounding them."""
    return name not in now.names or before.field(name).type == now.field(name).type


def stale(answer: Answer, there: set[str], kept: Mapping[str, str]) -> str:
    """Whether a row must be asked anew, as a condition on the documents and rows that meet.

    Args:
        there: columns of the rows.
        kept: the result column of each kept source column.
    """
    config, status = f"{answer.name}_config", f"{answer.name}_status"
    if config not in there:
        return "true"
    tests = [f"{_old(config)} IS DISTINCT FROM {literal(answer.config)}"]
    if answer.own_labels is not None:
        before = f"coalesce({_old(f'{answer.name}_labels')}, [])"
        tests.append(f"new.{quoted(f'list.{answer.own_labels}')} IS DISTINCT FROM {before}")
    if answer.pair is not None:
        if kept[answer.pair] not in there:
            return "true"
        pair = quoted(f"kept.{answer.pair}")
        tests.append(f"new.{pair} IS DISTINCT FROM {_old(kept[answer.pair])}")
    if answer.again and status in there:
        tests.append(f"{_old(status)} IN ({', '.join(map(literal, answer.again))})")
    return " OR ".join(tests)


def count_asked(database: "duckdb.DuckDBPyConnection", wanted: Wanted) -> dict[str, int]:
    """Documents that need each answer, by its name."""
    return {
        answer.name: _count(
            database, f"SELECT 1 FROM fates WHERE fate <> 'vanished' AND needs & {1 << bit} <> 0"
        )
        for bit, answer in enumerate(wanted.answers)
    }


def count_reissued(database: "duckdb.DuckDBPyConnection") -> int:
    """Rows whose document vanished and whose text comes again under an id that is new.

    0 unless that holds for almost all that vanished, and their texts tell them apart: short answers
    that many documents share come again every night.
    """
    found = database.execute(
        """
        SELECT count(*), coalesce(sum(n), 0), count(*) FILTER (again),
            coalesce(sum(n) FILTER (again), 0)
        FROM (
            SELECT count(*) AS n, text IN (SELECT text FROM fates WHERE fate = 'new') AS again
            FROM fates WHERE fate = 'vanished' AND text IS NOT NULL GROUP BY text
        )"""
    ).fetchone()
    texts, rows, texts_again, rows_again = found or (0, 0, 0, 0)
    if texts_again < ALMOST_ALL * texts or texts < rows / 2:
        return 0
    return int(rows_again)


def find_respelt(
    database: "duckdb.DuckDBPyConnection", index: Path, snapshot: Snapshot | None
) -> tuple[int, str, str]:
    """Rows whose document vanished and comes again under its id in another spelling.

    Returns:
        how many, and the id of one of them before and now.
    """
    twins = """
        FROM fates AS old JOIN fates AS new USING (twin)
        WHERE old.fate = 'vanished' AND new.fate = 'new'"""
    one = f"SELECT old.part, old.row, new.chunk, new.position {twins} ORDER BY ALL LIMIT 1"
    found = database.execute(one).fetchone()
    if found is None or snapshot is None:
        return 0, "", ""
    count = _count(database, f"SELECT DISTINCT old.part, old.row {twins}")
    part, row, chunk, position = found
    places = (snapshot.parts[part - 1].path, row), (index_file(index, chunk), position)
    before, now = (pq.read_table(path, columns=["doc_id"])[0][at].as_py() for path, at in places)
    return count, before, now


def _count(database: "duckdb.DuckDBPyConnection", query: str) -> int:
    found = database.execute(f"SELECT count(*) FROM ({query})").fetchone()
    return int(found[0]) if found else 0
