"""The files of gold labels that every night is measured on."""

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from nocturna.tasks.job.base import Section, refuse_secrets


class GoldFile(Section):
    """Documents of the corpus whose right label is known, and where their labels stand."""

    path: str = Field(description="File of labelled documents: anything that a job could read.")
    text: str = Field("text", description="Column of the text.")
    label: str = Field("label", description="Column of the gold label.")
    map: dict[Annotated[str, BeforeValidator(str)], str] = Field(
        {}, description="Gold label to label of the score; to nothing, to leave its rows out."
    )

    @field_validator("path")
    @classmethod
    def _keeps_secrets(cls, path: str) -> str | None:
        return refuse_secrets(path)
