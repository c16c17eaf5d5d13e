"""Where documents come from."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from nocturna.tasks.addresses import note_secrets, recall, redact, remember
from nocturna.tasks.job.base import Section, as_names, option, refuse_secrets
from nocturna.tasks.job.listed import Texts

EVERY = "*"
"""Stands among the kept columns for every other one that is neither text nor id."""

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}


def _kept_as(entry: str) -> tuple[str, str]:
    """A kept column and its name in the results, from `column` or `column=name`.

    >>> _kept_as("a"), _kept_as("a=b"), _kept_as("a=b="), _kept_as("a=b=c")
    (('a', 'a'), ('a', 'b'), ('a=b', 'a=b'), ('a=b', 'c'))
    """
    column, renamed, name = (part.strip() for part in entry.rpartition("="))
    if not renamed:
        return entry, entry
    if "=" in column and not name:
        return column, column
    if not column or not name:
        raise ValueError(f"{entry!r}: write column=name, or the column alone")
    return column, name


def kept_entry(column: str) -> str:
    """How `keep` says a column that keeps its name."""
    return f"{column}=" if "=" in column else column


def _one_or_several(path: Any) -> Any:
    """A path, or several as a tuple; a list of one is that one."""
    if not isinstance(path, list | tuple):
        return path
    if not path:
        raise ValueError("an empty list; give a path")
    return tuple(dict.fromkeys(path)) if len({*path}) > 1 else path[0]


class Source(Section):
    """Where the documents of a job come from: files by path, or a data set on the Hub.

    `path` never holds a user, password or query string: what was given is in `addresses`, which is
    no field and so is written nowhere.
    """

    path: Annotated[str | tuple[str, ...] | None, BeforeValidator(_one_or_several)] = Field(
        None,
        description="File, folder, glob or URI (https://, s3://, gs://, hf://, file://) of the "
        "corpus, or a list of them.",
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
    format: str = Field(
        "auto",
        description="Format of the files; auto goes by the ending. `text` is a document a "
        "line, `files` a document a file.",
        json_schema_extra=option("--format"),
    )
    text: str = Field(
        "text",
        description="Column that holds the text, or several as in '{title}. {body}'; those that "
        "are null are left out.",
        json_schema_extra=option("--text"),
    )
    id: str | None = Field(
        None,
        description="Column that identifies a document, or several as in '{source}/{number}'; "
        "without one, the text's hash does.",
        json_schema_extra=option("--id"),
    )
    on_repeat: Literal["error", "first", "last"] = Field(
        "error",
        description="Which of several rows with one id counts: first or last; the others are "
        "superseded. `error` puts all but the first aside, and ends the run if they are many.",
        json_schema_extra=option("--on-repeat"),
    )
    encoding: str = Field(
        "utf-8", description="Encoding of text files.", json_schema_extra=option("--encoding")
    )
    keep: Texts = Field(
        (),
        description="Source columns to carry to the results, as in date or date=day to rename it "
        "(a=b= is the column a=b); * is every column but text and id.",
        json_schema_extra=option("--keep"),
    )
    include: Texts = Field(
        (),
        description="Files of a folder or glob to read, and no others, by name or pattern, as in "
        "*.csv or 2024/*.",
        json_schema_extra=option("--include"),
    )
    exclude: Texts = Field(
        (),
        description="Files of a folder or glob to leave out, by name or pattern, as in *.csv.",
        json_schema_extra=option("--exclude"),
    )
    delta_version: int | None = Field(
        None,
        ge=0,
        description="Version of a Delta table to read; the newest one if none.",
        json_schema_extra=option("--delta-version"),
    )
    delimiter: str | None = Field(
        None,
        description="What separates the fields of CSV and TSV files: one character, or comma, "
        "semicolon, tab or pipe; without it, the header tells.",
        json_schema_extra=option("--delimiter"),
    )
    escape: Literal["doubled", "backslash", "postgres"] | None = Field(
        None,
        description="How quotes inside a quoted CSV field are written: doubled, or after a "
        "backslash as Spark does; or that nothing is quoted and a backslash does it all, with \\N "
        "for null, as exports of PostgreSQL, MySQL and Hive have it.",
        json_schema_extra=option("--escape"),
    )
    quotes: Literal["quoting", "literal"] | None = Field(
        None,
        description="What quotation marks around a CSV or TSV field are: quoting, or literally "
        "part of the text; without it, the lines of a TSV tell.",
        json_schema_extra=option("--quotes"),
    )
    nulls: Texts = Field(
        (),
        description="What stands for null in CSV and TSV files, as in NULL or \\N; a field that is "
        "empty does always.",
        json_schema_extra=option("--nulls"),
    )
    sheet: str | None = Field(
        None,
        description="Sheet of a spreadsheet; without it, the first one that has rows.",
        json_schema_extra=option("--sheet"),
    )
    max_chars: int = Field(
        10_000_000,
        ge=1,
        description="Longest document, in characters; longer ones keep their row, unscored.",
    )

    _given: dict[str, str] = PrivateAttr(default_factory=dict)
    _parts: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """Each path; none of a data set."""
        return as_names(self.path) or ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where each path is to be opened, with its secrets; for nothing else."""
        return tuple(self._given.get(path, path) for path in self.paths)

    @property
    def place(self) -> str:
        """Where the documents are, to be shown."""
        return self.dataset or ", ".join(self.paths)

    @property
    def kept(self) -> tuple[str, ...]:
        """The kept columns under their names in the source; EVERY may be one of them."""
        return tuple(column for column, _ in map(_kept_as, self.keep))

    @property
    def renamed(self) -> dict[str, str]:
        """The name in the results of each kept column that gets another one."""
        return {column: name for column, name in map(_kept_as, self.keep) if column != name}

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The columns that `text` and `id` are made of, in a source that names the first only."""
        return self._parts

    def read_as(self, parts: dict[str, tuple[str, ...]], keep: tuple[str, ...]) -> Self:
        """The source as its files are read, with the first of the columns of a text or an id."""
        first = {role: columns[0] for role, columns in parts.items()}
        reading = self.model_copy(update={**first, "keep": keep})
        reading._parts = parts
        return reading

    def known_as(self, job: str) -> None:
        """Keeps the secrets of a job's source for this process and its children, or finds them."""
        for path in self.paths:
            if path in self._given:
                remember(job, path, self._given[path])
            elif (address := recall(job, path)) is not None:
                self._given[path] = address

    @field_validator("dataset")
    @classmethod
    def _is_name(cls, dataset: str | None) -> str | None:
        return refuse_secrets(dataset)

    @field_validator("id", mode="before")
    @classmethod
    def _of_several(cls, name: object) -> object:
        if not isinstance(name, list | tuple):
            return name
        if odd := [column for column in name if not isinstance(column, str)]:
            raise ValueError(f"{odd[0]!r} is no text; put it in quotes if it is a column")
        if not name:
            raise ValueError("an empty list; name a column")
        return "/".join(f"{{{column}}}" for column in name) if len(name) > 1 else name[0]

    @field_validator("format")
    @classmethod
    def _is_known(cls, format: str) -> str:
        if format == "auto":
            return format
        from nocturna.tasks.corpus.formats import formats

        if format not in formats():
            raise ValueError(f"{format!r} is no format; give auto, {', '.join(formats())}")
        return format

    @field_validator("keep")
    @classmethod
    def _each_once(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        keep = tuple(dict.fromkeys(keep))
        columns = [column for column, _ in map(_kept_as, keep)]
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            raise ValueError(f"the column {twice!r} is kept twice; give it one name")
        if EVERY in columns and EVERY not in keep:
            raise ValueError(f"{EVERY} is every column; it cannot be renamed")
        return keep

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str | None) -> str | None:
        named = _DELIMITERS.get(delimiter or "", delimiter)
        if named is not None and len(named) != 1:
            raise ValueError("give one character, or comma, semicolon, tab or pipe")
        return named

    @field_validator("escape", mode="before")
    @classmethod
    def _named_escape(cls, escape: object) -> object:
        return "backslash" if escape == "\\" else escape

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give either `path` or `dataset`, not both and not neither")
        return self

    @model_validator(mode="after")
    def _ids_to_repeat(self) -> Self:
        if self.on_repeat != "error" and self.id is None:
            raise ValueError(f"`on_repeat: {self.on_repeat}` needs `id`: the column that repeats")
        return self

    @model_validator(mode="after")
    def _conceal(self) -> Self:
        shown = tuple(map(redact, self.paths))
        for path, address in zip(shown, self.paths, strict=True):
            if path != address:
                self._given[path] = address
                note_secrets(address)
        if len({*shown}) < len(shown):
            raise ValueError("two of the paths differ in a user or query only, which is not kept")
        if shown != self.paths:
            self.__dict__["path"] = shown if len(shown) > 1 else shown[0]
        return self
