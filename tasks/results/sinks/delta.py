"""The results as a Delta table too: a sink for object stores, where there are no links to flip."""

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from nocturna.tasks.job.base import Section, option, refuse_secrets
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.sinks import Received

if TYPE_CHECKING:
    import pyarrow as pa

    from nocturna.tasks.results.log_entries import Snapshot

SCHEMES = ("s3", "s3a", "gs", "file")


class Options(Section):
    """The table that a job wants."""

    table: str | None = Field(
        None,
        min_length=1,
        description="Delta table that shows the same rows: s3://, gs://, file:// or a path.",
        json_schema_extra=option("--table"),
    )

    @field_validator("table")
    @classmethod
    def _is_address(cls, table: str | None) -> str | None:
        scheme, found, place = (table or "").partition("://")
        if found and scheme not in SCHEMES:
            raise ValueError(f"{scheme}:// is no place for a table; give s3://, gs:// or a path")
        if found and "?" in place:
            raise ValueError("a table's address has no query string")
        return refuse_secrets(table)


def asked(output: Options) -> bool:
    """Whether a job names a table."""
    return output.table is not None


def check(output: Options, layout: Layout) -> None:
    """Refuses a table without its package, and one in the output folder."""
    from nocturna.tasks.results.sinks._delta_store import check_table

    assert output.table is not None
    check_table(output.table, layout)


def check_columns(output: Options, schema: "pa.Schema") -> None:
    """Refuses a kept column of a type that no Delta table can hold."""
    from nocturna.tasks.results.sinks._delta_columns import table_schema

    table_schema(schema)


def receive(output: Options, layout: Layout, snapshot: "Snapshot") -> Received:
    """Makes the table hold a snapshot and nothing else; `mirror` says how, and what it raises."""
    from nocturna.tasks.results.sinks._delta_table import mirror

    assert output.table is not None
    check(output, layout)
    made = mirror(layout, snapshot, output.table)
    return Received(made.uri, made.version, {"deltalake": f"DeltaTable({made.uri!r}).to_pandas()"})
