"""Rows drawn from a corpus of any size, in one pass and in little memory."""

import duckdb
import pyarrow as pa

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.in_memory import read_through
from nocturna.tasks.corpus.trial import drawn_by
from nocturna.tasks.job.source import Source

_COLUMNS = ("doc_id", "source_uri", "source_row", "text", "error_code")


def read_sample(source: Source, rows: int, seed: int = 0) -> tuple[pa.Table, int]:
    """The rows that a job with `--sample` and this seed tries out.

    Args:
        rows: how many are drawn, good and bad alike.

    Returns:
        the documents among them that have a text, with the kept columns as texts, and how many of
        the rows drawn are no such documents.

    Raises:
        UsageError, Transient: as `read_in_memory`.
    """
    schema = pa.schema(
        [
            *(("doc_id", pa.string()), ("source_uri", pa.string()), ("source_row", pa.int64())),
            *(("text", pa.large_string()), ("error_code", pa.string())),
            *((kept_name(name), pa.string()) for name in source.keep),
        ]
    )
    drawn = schema.empty_table()
    with duckdb.connect(":memory:") as database:

        def first(table: pa.Table) -> pa.Table:
            database.register("chunk", table)
            sql = f"SELECT * FROM chunk ORDER BY {drawn_by(seed)} LIMIT {int(rows)}"
            return database.sql(sql).to_arrow_table()

        def keep(some: pa.Table, bad: pa.Table) -> None:
            nonlocal drawn
            names = [*_COLUMNS, *map(kept_name, source.keep)]
            good = _as(first(some.select(names)), schema)
            odd = bad.select(["source_uri", "source_row", "reason"])
            odd = _as(odd.rename_columns(["source_uri", "source_row", "error_code"]), schema)
            drawn = first(pa.concat_tables([drawn, good, odd])).cast(schema)

        read_through(source, keep)
    there = drawn.filter(drawn["error_code"].is_null())
    return there.drop_columns("error_code"), drawn.num_rows - there.num_rows


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema, null where there is none; kept ones as texts."""
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
        elif field.name in _COLUMNS:
            columns.append(table[field.name].cast(field.type))
        else:
            values = table[field.name].to_pylist()
            told = [None if value is None else _said(value) for value in values]
            columns.append(pa.array(told, pa.string()))
    return pa.table(columns, schema=schema)


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
