"""How models run and what happens to long documents."""

from typing import Any, Literal

from pydantic import Field

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import AUTO, backends
from nocturna.tasks.job.base import Section, option


class LongDocuments(Section):
    """What happens to documents longer than the model's window."""

    policy: Literal["windows", "truncate"] = Field(
        "windows",
        description="Read long documents whole in overlapping windows, or cut them.",
        json_schema_extra=option("--long-documents"),
    )
    overlap: int = Field(
        64, ge=0, description="Tokens shared by neighbouring windows; at most half a window."
    )
    aggregate: Literal["mean", "max", "first"] = Field(
        "mean", description="How window scores become one: token-weighted mean, max or the first."
    )


class Tolerance(Section):
    """How far a faster precision may be from fp32 for `precision: auto` to choose it."""

    score: float = Field(0.01, gt=0, le=1, description="Largest change of any score.")
    changed_labels: float = Field(
        0.0, ge=0, lt=1, description="Largest share of documents whose top label changes."
    )
    sample: int = Field(
        1000,
        ge=10,
        description="Most documents to measure on; a twentieth of the run's, but at least 64.",
    )


def _names() -> Any:
    try:
        return Literal[(AUTO, *backends())]
    except UsageError as error:
        raise SystemExit(f"nocturna: {error}") from None


BackendName: Any = _names()
"""A backend, ours or one that a package brings along."""


class Compute(Section):
    """How the models run."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Device that runs the models.", json_schema_extra=option("--device")
    )
    backend: BackendName = Field(
        AUTO,
        description="What runs the models; without a value, the fastest on the device.",
        json_schema_extra=option("--backend"),
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "fp32",
        description="Number format of the models; fp32 gives transformers' own scores, auto the "
        "fastest that stays within `tolerance` on a sample of the job's texts.",
        json_schema_extra=option("--precision"),
    )
    tolerance: Tolerance = Tolerance()
    batch_tokens: int | None = Field(
        None,
        ge=16,
        description="Tokens a batch; without a value, by the device. Halved by itself when memory "
        "runs out.",
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="Shards scored at once, which share the cores; without a value, one a core on "
        "a CPU, and on a GPU one a process, or two where there is one process.",
        json_schema_extra=option("--workers"),
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="Processes that read, tokenise and score; without a value, one on a CPU and "
        "one for every four cores on a GPU.",
        json_schema_extra=option("--processes"),
    )
    runner: str | None = Field(
        None,
        description="What scores the shards: this process, others of this machine, or a cluster "
        "(docs/scale.md); without a value, as `processes` says.",
        json_schema_extra=option("--runner"),
    )
