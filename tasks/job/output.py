"""Where results go."""

from typing import Any, Literal

from pydantic import Field

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.base import Section, option
from nocturna.tasks.results.sinks import output_options


class Own(Section):
    """What every job can say of its results, whatever the sinks add."""

    dir: str = Field(
        "out",
        description="Folder that holds one output folder a job.",
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


def _sinks() -> Any:
    try:
        return output_options(Own)
    except UsageError as error:
        raise SystemExit(f"nocturna: {error}") from None


class Output(*_sinks(), Own):  # type: ignore[misc]
    """Where results go and what a row carries; each sink adds the keys that ask for it."""
