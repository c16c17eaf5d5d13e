"""Where documents come from."""

from typing import Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from nocturna.tasks.addresses import note_secrets, recall, redact, remember
from nocturna.tasks.job.base import Section, option, refuse_secrets
from nocturna.tasks.job.listed import Texts


class Source(Section):
    """Where the documents of a job come from: files by path, or a data set on the Hub.

    `path` never holds a user, password or query string: what was given is `address`, which is no
    field and so is written nowhere.
    """

    path: str | None = Field(
        None,
        description="File, folder, glob or URI (https://, s3://, gs://, hf://, file://) of the "
        "corpus.",
    )
    dataset: str | None = Field(
        None, description="Data set on the Hugging Face Hub.", json_schema_extra=option("--dataset")
    )
    config: str | None = Field(
        None,
        description="Configuration of the Hub data set.",
        json_schema_extra=option("--dataset-config"),
    )
    split: str = Field(
        "train", description="Split of the Hub data set.", json_schema_extra=option("--split")
    )
    revision: str | None = Field(
        None,
        description="Branch, tag or commit of the Hub data set.",
        json_schema_extra=option("--dataset-revision"),
    )
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "text", "files"] = (
        Field(
            "auto",
            description="Format of the files; auto goes by the ending. `text` is a document a "
            "line, `files` a document a file.",
            json_schema_extra=option("--format"),
        )
    )
    text: str = Field(
        "text", description="Column that holds the text.", json_schema_extra=option("--text")
    )
    id: str | None = Field(
        None,
        description="Column that identifies a document; without one, the text's hash does.",
        json_schema_extra=option("--id"),
    )
    encoding: str = Field(
        "utf-8", description="Encoding of text files.", json_schema_extra=option("--encoding")
    )
    keep: Texts = Field(
        (),
        description="Source columns to carry to the results.",
        json_schema_extra=option("--keep"),
    )
    max_chars: int = Field(
        10_000_000,
        ge=1,
        description="Longest document, in characters; longer ones keep their row, unscored.",
    )

    _given: str | None = PrivateAttr(None)

    @property
    def address(self) -> str:
        """Where `path` is to be opened, with its secrets; for nothing else."""
        return self._given or self.path or ""

    def known_as(self, job: str) -> None:
        """Keeps the secrets of a job's source for this process and its children, or finds them."""
        if self.path is None:
            return
        if self._given is not None:
            remember(job, self.path, self._given)
        else:
            self._given = recall(job, self.path)

    @field_validator("dataset")
    @classmethod
    def _is_name(cls, dataset: str | None) -> str | None:
        return refuse_secrets(dataset)

    @field_validator("keep")
    @classmethod
    def _each_once(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(keep))

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give either `path` or `dataset`, not both and not neither")
        return self

    @model_validator(mode="after")
    def _conceal(self) -> Self:
        if self.path is not None and (shown := redact(self.path)) != self.path:
            self._given = self.path
            note_secrets(self.path)
            self.__dict__["path"] = shown
        return self
