"""Where results go."""

from typing import Any, Literal

from pydantic import Field, field_validator

from nocturna.tasks.addresses import refusal_of_place
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.base import Section, option, refuse_secrets
from nocturna.tasks.results.sinks import output_options


class Own(Section):
    """What every job can say of its results, whatever the sinks add."""

    dir: str = Field(
        "out",
        description="Folder that holds one output folder a job, or URI of one: s3://, gs:// or "
        "abfss://.",
        json_schema_extra=option("--out"),
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
    report: bool = Field(
        True,
        description="Leave a page with the figures of each night in the folder of its run.",
        json_schema_extra=option("--report/--no-report"),
    )
    other_columns: Literal["fill", "refuse"] = Field(
        "fill",
        description="Rows that are carried over from a night with other columns: fill what they "
        "lack with nulls, or refuse to publish.",
    )

    @field_validator("dir")
    @classmethod
    def _is_place(cls, place: str) -> str | None:
        if refusal := refusal_of_place(place):
            raise ValueError(refusal)
        return refuse_secrets(place)


def _sinks() -> Any:
    try:
        return output_options(Own)
    except UsageError as error:
        raise SystemExit(f"nocturna: {error}") from None


class Output(*_sinks(), Own):  # type: ignore[misc]
    """Where results go and what a row carries; each sink adds the keys that ask for it."""
