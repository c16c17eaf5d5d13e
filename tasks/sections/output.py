"""Where results go."""

from typing import Literal

from pydantic import Field, field_validator

from nocturna.tasks.sections.base import Section, option, refuse_secrets

TABLE_SCHEMES = ("s3", "s3a", "gs", "file")


class Output(Section):
    """Where results go and what a row carries."""

    dir: str = Field(
        "out",
        description="Folder that holds one output folder a job.",
        json_schema_extra=option("--out"),
    )
    table: str | None = Field(
        None,
        min_length=1,
        description="Delta table that shows the same rows: s3://, gs://, file:// or a path.",
        json_schema_extra=option("--table"),
    )
    keep_text: bool = Field(
        False,
        description="Copy the text into the results.",
        json_schema_extra=option("--keep-text"),
    )
    deletions: Literal["keep", "drop"] = Field(
        "keep",
        description="What happens to the rows of documents that left the corpus.",
        json_schema_extra=option("--deletions"),
    )
    other_columns: Literal["fill", "refuse"] = Field(
        "fill",
        description="Rows that are carried over from a night with other columns: fill what they "
        "lack with nulls, or refuse to publish.",
    )

    @field_validator("table")
    @classmethod
    def _is_address(cls, table: str | None) -> str | None:
        scheme, found, place = (table or "").partition("://")
        if found and scheme not in TABLE_SCHEMES:
            raise ValueError(f"{scheme}:// is no place for a table; give s3://, gs:// or a path")
        if found and "?" in place:
            raise ValueError("a table's address has no query string")
        return refuse_secrets(table)
