"""Documents whose texts no answer of tonight needs, as far as that shows before a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nocturna.tasks.corpus.lot_writer import Known
from nocturna.tasks.results.fates import Answer, stale
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.sql import connect, rows_of

if TYPE_CHECKING:
    import duckdb

_KEY = """
    CASE WHEN starts_with(doc_id, {hash} || '-') THEN hash({hash}) ELSE hash(doc_id, {hash}) END
"""
"""Names a document by its id and text; where the text gave it its id, by the text alone."""


def lacks_texts(layout: Layout) -> bool:
    """Whether there are published rows, and they have no text."""
    snapshot = current_snapshot(layout)
    try:
        return snapshot is not None and "text" not in schema_of(snapshot.parts[0].path).names
    except (OSError, pa.ArrowException):
        return True


def known_texts(layout: Layout, answers: Sequence[Answer]) -> Known:
    """Tells which documents have every answer that tonight asks for, as far as that is known.

    It may be wrong either way, which costs a text kept in vain or an input read again. What is
    published is not looked at before something was read.
    """
    return _OnceFound(layout, tuple(answers))


class _OnceFound:
    """Looks at what is published when it is first asked, in each process for itself."""

    def __init__(self, layout: Layout, answers: tuple[Answer, ...]) -> None:
        self._asked = layout, answers
        self._lock = Lock()
        self._known: Known | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _OnceFound, self._asked

    def __call__(self, index: pa.Table) -> npt.NDArray[np.bool_]:
        with self._lock:
            if self._known is None:
                self._known = _found(*self._asked)
        return self._known(index)


def _nothing(index: pa.Table) -> npt.NDArray[np.bool_]:
    return np.zeros(index.num_rows, dtype=bool)


def _found(layout: Layout, answers: Sequence[Answer]) -> Known:
    import duckdb

    snapshot = current_snapshot(layout)
    parts = [part.path for part in snapshot.parts if part.path.is_file()] if snapshot else []
    if not parts or any(answer.own_labels or answer.pair for answer in answers):
        return _nothing
    try:
        return _known(layout, parts, answers)
    except (OSError, pa.ArrowException, duckdb.Error):
        return _nothing  # the comparison says what is damaged


def _known(layout: Layout, parts: Sequence[Path], answers: Sequence[Answer]) -> Known:
    there = set(schema_of(parts[0]).names)
    tests = [f"({stale(answer, there, {})})" for answer in answers]
    if "true" in {test.strip("()") for test in tests}:
        return _nothing
    query = f"""
        SELECT {_KEY.format(hash='"was.content_hash"')} AS key FROM (
            SELECT doc_id, COLUMNS(*) AS 'was.\\0' FROM {rows_of(parts)}
        ) AS old
        WHERE NOT ({" OR ".join(tests) or "false"})"""
    with connect(layout) as database:
        keys, counts = np.unique(_column(database, query), return_counts=True)
    return _Known(keys, counts)


@dataclass
class _Known:
    """Keys of rows that are known, sorted, how many rows have each, and how many were met."""

    keys: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int64]
    _met: npt.NDArray[np.int64] = field(init=False)
    _lock: Any = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._met = np.zeros(len(self.keys), dtype=np.int64)

    def __call__(self, index: pa.Table) -> npt.NDArray[np.bool_]:
        import duckdb

        with duckdb.connect(":memory:") as database:
            database.register("documents", index.select(["doc_id", "content_hash"]))
            key = _KEY.format(hash="content_hash")
            mine = _column(database, f"SELECT {key} AS key FROM documents")
        at = np.searchsorted(self.keys, mine)
        found = at < len(self.keys)
        found[found] = self.keys[at[found]] == mine[found]
        places = at[found]
        order = np.argsort(places, kind="stable")
        ranked = places[order]
        firsts = np.flatnonzero(np.diff(ranked, prepend=-1))
        rank = np.arange(len(ranked)) - np.repeat(
            firsts, np.diff([*firsts, len(ranked)]).astype(np.int64)
        )
        known = np.empty(len(places), dtype=bool)
        with self._lock:
            known[order] = self._met[ranked] + rank < self.counts[ranked]
            np.add.at(self._met, places, 1)
        found[found] = known
        return found


def _column(database: "duckdb.DuckDBPyConnection", query: str) -> npt.NDArray[np.uint64]:
    table: pa.Table = database.sql(query).to_arrow_table()
    return table["key"].to_numpy().astype(np.uint64)
