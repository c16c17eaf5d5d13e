"""What goes into the stage and what comes out of it."""

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Status = Literal[
    "ok",
    "cached",
    "skipped_empty",
    "skipped_budget",
    "blocked",
    "truncated",
    "invalid_output",
    "error",
    "quota_exhausted",
]

WORTH_ASKING_AGAIN: frozenset[Status] = frozenset(
    {"skipped_budget", "invalid_output", "error", "quota_exhausted"}
)
"""Statuses that another night may turn into a summary."""


@dataclass(frozen=True)
class DocumentText:
    """A document to summarise; `text` is None where it could not be read."""

    doc_id: str
    text: str | None


@dataclass(frozen=True)
class Request:
    """One question to the model.

    Attributes:
        key: hash of everything that changes the answer; the cache's key.
        instruction: system instruction, with `{fence}` and `{reference}` to be filled.
        text: the redacted document, or the part of it that is sent.
    """

    key: str
    instruction: str
    text: str

    @property
    def reference(self) -> str:
        """Short name of the request that the answer must repeat."""
        return self.key[:16]


@dataclass(frozen=True)
class Reply:
    """What the service said, whichever way it came.

    Attributes:
        text: the answer's text; None if there is none.
        finish: why the model stopped, such as STOP or SAFETY.
        block: why the prompt was refused, if it was.
        tokens_in, tokens_out: billed tokens, thinking counted as output; None if not stated.
        model: model version that answered.
    """

    text: str | None
    finish: str | None
    block: str | None
    tokens_in: int | None
    tokens_out: int | None
    model: str | None


@dataclass(frozen=True)
class Outcome:
    """How a request or a document ended.

    Attributes:
        cost: what it cost in this run, in nano-USD, answers that were lost included.
        attempts: calls sent in this run.
        keep: whether the same question would get the same answer, so that it may be cached.
    """

    status: Status
    reason: str | None = None
    summary: str | None = None
    language: str | None = None
    model: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    attempts: int = 0
    keep: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a run of the stage stands.

    Attributes:
        documents, total: rows finished, and rows to come if known.
        answered: requests that have an outcome; runs ahead of `documents`.
        statuses: finished rows by status.
        calls: calls sent in this run of the stage.
        spent_usd: committed in the ledger for this run_id, open reservations included.
        expected_usd: spend expected at the end; None while unknown.
        throttled_s: seconds of cool-down so far.
        stopped: why the stage stopped early, in one line; None if it did not.
    """

    documents: int
    total: int | None
    answered: int
    statuses: dict[str, int]
    calls: int
    spent_usd: float
    expected_usd: float | None
    throttled_s: float
    stopped: str | None


@dataclass(frozen=True)
class Timing:
    """Waits, in seconds; the defaults suit the real service.

    Attributes:
        backoff, longest_backoff: first and longest wait after a failed call.
        patience: how long calls may all be refused for quota before the stage gives up.
        poll, longest_poll: first and longest wait between looks at a batch job.
        create_patience: how long to look for a batch job whose creation was not confirmed.
        claim_poll: wait for an answer that another run is asking for.
    """

    backoff: float = 1.0
    longest_backoff: float = 60.0
    patience: float = 1800.0
    poll: float = 30.0
    longest_poll: float = 300.0
    create_patience: float = 300.0
    claim_poll: float = 0.5


@dataclass
class Halt:
    """The reason to ask nothing more in this run of the stage; empty while there is none."""

    outcome: Outcome | None = field(default=None)

    def now(self, status: Status, reason: str) -> None:
        """Keeps the first reason."""
        if self.outcome is None:
            self.outcome = Outcome(status, reason)


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


SUMMARY_SCHEMA = pa.schema(
    [
        _column("doc_id", pa.string(), "Document that the summary belongs to."),
        _column("summary", pa.string(), "Summary by the model; null unless ok or cached."),
        _column(
            "summary_status",
            pa.string(),
            "ok (paid in this run), cached (paid before), skipped_empty, skipped_budget, blocked, "
            "truncated (answer cut short), invalid_output, error or quota_exhausted.",
        ),
        _column("summary_reason", pa.string(), "Why there is no summary, in one line."),
        _column("summary_language", pa.string(), "Language of the summary (ISO 639)."),
        _column("summary_model", pa.string(), "Model version that answered."),
        _column(
            "summary_coverage",
            pa.float64(),
            "Share of the document's characters that the model was given; 1 is the whole.",
        ),
        _column("summary_tokens_in", pa.int64(), "Input tokens billed for the row in this run."),
        _column(
            "summary_tokens_out",
            pa.int64(),
            "Output tokens billed for the row in this run, thinking included.",
        ),
        _column(
            "summary_cost_usd",
            pa.float64(),
            "Cost of the row in this run in USD; calls whose answer was lost count in full.",
        ),
        _column("summary_attempts", pa.int32(), "Calls sent for the row in this run."),
    ]
)
