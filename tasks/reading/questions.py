"""Questions in SQL to what is published: DuckDB that can read the job's tables and nothing else."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.history import history_table
from nocturna.tasks.reading.runs_table import runs_table
from nocturna.tasks.reading.views import View
from nocturna.tasks.results import files
from nocturna.tasks.results.configs import read_configs
from nocturna.tasks.results.layout import Layout, is_run_id
from nocturna.tasks.results.parts import rejects_in
from nocturna.tasks.results.sql import READERS, connect, literal, quoted, rows_of

if TYPE_CHECKING:
    import duckdb

_QUARANTINE = {
    "run_id": "VARCHAR",
    "source_uri": "VARCHAR",
    "source_row": "BIGINT",
    "byte_offset": "BIGINT",
    "reason": "VARCHAR",
    "message": "VARCHAR",
    "raw": "BLOB",
}
_PIVOTS = re.compile(r"\s*(pivot|unpivot|select|from|with)\b", re.IGNORECASE)
_WHERE = re.compile(r"^LINE (\d+):", re.MULTILINE)


@contextmanager
def asking(view: View) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A DuckDB with the views of a job: `results`, `runs`, `quarantine`, `configs`, `history`.

    It can open the files of the views and nothing else: no other file, no network, no extension.
    It cannot be set otherwise. `ask` is what keeps a question from writing.

    Args:
        view: which snapshot `results` are of.
    """
    with tempfile.TemporaryDirectory(prefix="nocturna-") as spill:
        database = connect(view.layout, READERS, spill=Path(spill))
        try:
            _lock(database, [*_show_results(database, view), *_show_quarantine(database, view)])
            yield database
        finally:
            database.close()


def ask(database: "duckdb.DuckDBPyConnection", question: str) -> pa.RecordBatchReader:
    """The answer to one question, in batches that are computed as they are read.

    Raises:
        UsageError: it is no question, or not one that DuckDB understands, or two columns of the
            answer have one name; one line.
    """
    import duckdb

    with one_line("the question"):
        statements = duckdb.extract_statements(question)
        if len(statements) != 1 or not _only_reads(statements[0]):
            raise UsageError(
                "the question: give one SELECT; results are only read, so nothing is written, "
                "attached or set"
            )
        answer = database.sql(question).to_arrow_reader(10_000)
    name, times = Counter(answer.schema.names).most_common(1)[0]
    if times > 1:
        raise UsageError(f"the question: {times} columns are named {name!r}; tell them apart by AS")
    return answer


@contextmanager
def one_line(where: str) -> Iterator[None]:
    """Turns what DuckDB says of a question into one line."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = str(error)
        at = _WHERE.search(said)
        what = said.split("\nLINE ", maxsplit=1)[0]
        lines = [line.strip() for line in what.splitlines() if line.strip()]
        place = f", line {at[1]}" if at and at[1] != "1" else ""
        raise UsageError(f"{where}{place}: {'; '.join(lines)}") from None


def _only_reads(statement: "duckdb.Statement") -> bool:
    """Whether a statement is a SELECT, also one that pivots, which is several to DuckDB."""
    import duckdb

    if statement.type == duckdb.StatementType.SELECT:
        return True
    pivots = _PIVOTS.match(statement.query) is not None
    return statement.type == duckdb.StatementType.MULTI and pivots


def _show_results(database: "duckdb.DuckDBPyConnection", view: View) -> Sequence[Path]:
    database.execute(f"CREATE VIEW results AS FROM {rows_of(view.parts)}")
    for name, table in (
        ("runs", runs_table(view.layout)),
        ("configs", read_configs(view.layout)),
        ("history", history_table(view.layout)),
    ):
        database.register("_arrow", table)
        database.execute(f"CREATE TABLE {name} AS FROM _arrow")
        database.unregister("_arrow")
    return view.parts


def _show_quarantine(database: "duckdb.DuckDBPyConnection", view: View) -> Sequence[Path]:
    """Rows that could not be read, of every run that is kept, with the run that met them."""
    parts = list(_readable_quarantine(view.layout))
    each = [
        "SELECT {} AS run_id, {} FROM {}".format(
            literal(part.parent.name),
            ", ".join(quoted(name) for name in list(_QUARANTINE)[1:]),
            rows_of([part]),
        )
        for part in parts
    ]
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _QUARANTINE.items())
    rows = " UNION ALL ".join(each) or f"SELECT {nothing} WHERE false"
    database.execute(f"CREATE VIEW quarantine AS {rows}")
    return parts


def _readable_quarantine(layout: Layout) -> Iterator[Path]:
    for folder in files.listed(layout.root / "quarantine"):
        for part in rejects_in(folder) if is_run_id(folder.name) else ():
            try:
                names = pq.read_schema(part).names if files.is_file(part) else []
            except (OSError, pa.ArrowException):
                continue
            if set(_QUARANTINE) - {"run_id"} <= set(names):
                yield part


def _lock(database: "duckdb.DuckDBPyConnection", parts: Sequence[Path]) -> None:
    """From here on only these files can be opened, and no setting changes that."""
    allowed = ", ".join(literal(str(part)) for part in parts)
    for setting in (
        f"allowed_paths = [{allowed}]",
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        database.execute(f"SET {setting}")
