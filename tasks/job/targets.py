"""Who is told how a run ended."""

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from nocturna.tasks.job.base import Section
from nocturna.tasks.job.listed import listed

Event = Literal["failure", "refusal", "recovery", "success"]
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Target(Section):
    """A webhook or a mailbox that is told how a run ended.

    Its address is a secret and stands in no job: the job says where the address is kept.
    """

    url_env: str | None = Field(
        None,
        description="Environment variable that holds the address: https:// of a webhook (JSON, "
        "Slack and Teams), mailtos:// of a mail server, or any other that apprise knows.",
    )
    url_file: str | None = Field(
        None,
        description="File that holds the address, readable by its owner only; absolute or ~/.",
    )
    events: tuple[Event, ...] = Field(
        ("failure", "refusal", "recovery"),
        min_length=1,
        description="What is told: failure, refusal (a quality gate, or another run still holds "
        "the folder), recovery (the first success after those or after a killed run), success "
        "(every other).",
    )

    @model_validator(mode="before")
    @classmethod
    def _holds_no_address(cls, values: Any) -> Any:
        if isinstance(values, dict) and "url" in values:
            raise ValueError(
                "an address is a secret: keep it in an environment variable or in a file of "
                "mode 600, and name that with `url_env` or `url_file`"
            )
        return values

    @field_validator("events", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return listed(value)

    @field_validator("url_env")
    @classmethod
    def _is_name(cls, name: str | None) -> str | None:
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(
                "is no name of an environment variable; if it is the address itself, put that "
                "into a variable and give the variable's name"
            )
        return name

    @field_validator("url_file")
    @classmethod
    def _is_absolute(cls, path: str | None) -> str | None:
        if path is not None and not (path.startswith("~/") or Path(path).is_absolute()):
            raise ValueError("give an absolute path, or one from ~/")
        return path

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either `url_env` or `url_file`")
        return self

    @property
    def kept_in(self) -> str:
        """Where the address is kept; safe to print."""
        return self.url_env or self.url_file or ""
