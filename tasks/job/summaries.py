"""Summaries: off unless asked for."""

from typing import Literal, Self

from pydantic import Field, model_validator

from nocturna.tasks.job.base import Section, option
from nocturna.tasks.job.spelling import LANGUAGE, SERVICE_MODEL


class Summaries(Section):
    """Summaries by a service. Off unless asked for: documents leave the machine."""

    enabled: bool = Field(
        False,
        description="Summarise each document by a service.",
        json_schema_extra=option("--summaries"),
    )
    max_usd: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Most that a run may spend on summaries, in USD; required with summaries.",
        json_schema_extra=option("--max-usd"),
    )
    mode: Literal["online", "flex", "batch"] = Field(
        "online",
        description="`online` answers in seconds; `flex` (minutes) and `batch` (up to a day) cost "
        "half.",
        json_schema_extra=option("--summary-mode"),
    )
    provider: str = Field(
        "gemini", description="Service that summarises: ours, or one that a package brings along."
    )
    model: str | None = Field(
        None,
        pattern=SERVICE_MODEL,
        description="Model that summarises; the provider's own choice if none.",
        json_schema_extra=option("--summary-model"),
    )
    price_in: float | None = Field(
        None,
        ge=0,
        description="USD for a million input tokens online; only for a model without known prices.",
    )
    price_out: float | None = Field(
        None,
        ge=0,
        description="USD for a million output tokens online; only for a model without known "
        "prices.",
    )
    language: str | None = Field(
        None,
        pattern=LANGUAGE,
        description="Language of the summaries (ISO 639); the job's if none.",
        json_schema_extra=option("--summary-language"),
    )
    words: int = Field(
        60,
        ge=5,
        le=1000,
        description="Longest summary, in words.",
        json_schema_extra=option("--summary-words"),
    )
    max_output_tokens: int | None = Field(
        None,
        ge=64,
        description="Most tokens an answer may take, thinking included; bounds its cost. 256 and 4 "
        "a word if none.",
    )
    long_documents: Literal["head_tail", "parts"] = Field(
        "head_tail",
        description="Documents over `max_chars`: send their beginning and end, or summarise every "
        "part and then the whole.",
    )
    max_chars: int = Field(24_000, ge=200, description="Most characters of a document in a call.")
    redact: Literal["none", "basic", "presidio"] = Field(
        "basic",
        description="What is taken out before a document is sent: `basic` DNI, NIE, IBAN, card "
        "numbers, e-mail and phone; `presidio` also names and places.",
        json_schema_extra=option("--redact"),
    )
    secret: str | None = Field(
        None,
        description="Prefect Secret block that holds the key; the provider's environment variable "
        "if none.",
    )
    concurrency: int = Field(32, ge=1, description="Calls under way at once (online and flex).")
    requests_per_minute: float = Field(
        600, gt=0, description="Requests a minute that the key allows; lowered when it allows less."
    )
    tokens_per_minute: float = Field(
        1_000_000, gt=0, description="Input tokens a minute that the key allows."
    )
    timeout_s: float | None = Field(
        None, gt=0, description="Seconds to wait for an answer; 120 online, 900 flex if none."
    )
    attempts: int = Field(
        6, ge=1, description="Failed calls (server errors, lost answers) before a document fails."
    )
    batch_size: int = Field(10_000, ge=1, description="Most requests in a batch job.")
    batch_deadline_hours: float = Field(
        26, gt=0, description="Hours after which an unfinished batch job is given up."
    )
    batch_fallback: Literal["none", "online"] = Field(
        "none", description="What happens to documents that a batch job left without an answer."
    )

    @model_validator(mode="after")
    def _has_budget(self) -> Self:
        if self.enabled and self.max_usd is None:
            raise ValueError("summaries need `max_usd`: the most that a run may spend, in USD")
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("give both `price_in` and `price_out`, or neither")
        return self
