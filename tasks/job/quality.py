"""What must hold before a run is published."""

from collections.abc import Iterable

from pydantic import Field

from nocturna.tasks.job.base import Section, option
from nocturna.tasks.job.listed import Texts

SOFT_CHECKS = (
    "max_quarantined",
    "max_failed",
    "max_truncated",
    "max_other_language",
    "language_shift",
)
SCORE_CHECKS = ("shift", "mean_score", "saturated", "gold_accuracy", "gold_drop")


def soft_checks_of(scores: Iterable[str]) -> list[str]:
    """Quality checks that a job with these scores may turn into warnings; no others."""
    return [*SOFT_CHECKS, *(f"{score}_{check}" for score in scores for check in SCORE_CHECKS)]


class Quality(Section):
    """Limits beyond which a run is not published."""

    max_quarantined: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of rows that could not be read.",
        json_schema_extra=option("--max-quarantined"),
    )
    max_failed: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of documents without a score: of those of tonight, or where "
        "these are fewer than shift_documents of all.",
        json_schema_extra=option("--max-failed"),
    )
    max_truncated: float | None = Field(
        None, ge=0, le=1, description="Largest share of documents of which text was left out."
    )
    max_other_language: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest share of documents in a known language other than the job's.",
    )
    max_shrink: float | None = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share by which the corpus may shrink from one night to the next.",
    )
    warn_unknown: float | None = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of documents that are mostly unknown to a model's tokenizer that is "
        "worth a warning.",
    )
    warn_shift: float | None = Field(
        0.03,
        ge=0,
        le=1,
        description="Change of a label's or language's share against the nights before that is "
        "worth a warning; 0.03 is three points.",
    )
    max_shift: float | None = Field(
        0.10,
        ge=0,
        le=1,
        description="Change of a label's or language's share against the nights before that "
        "refuses to publish.",
        json_schema_extra=option("--max-shift"),
    )
    shift_documents: int = Field(
        1000, ge=1, description="Fewer documents than this, tonight or before, are not compared."
    )
    min_score: float | None = Field(
        None, ge=0, le=1, description="Smallest mean score of the top labels."
    )
    max_saturated: float | None = Field(
        None, ge=0, le=1, description="Largest share of top scores above 0.999."
    )
    min_gold_accuracy: float | None = Field(
        None, ge=0, le=1, description="Smallest accuracy on the gold labels of a score."
    )
    max_gold_drop: float | None = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest fall of the accuracy on gold labels against the night before, on the "
        "same documents; a larger one refuses to publish where chance hardly makes it (p below "
        "0.05, McNemar), and is a warning else.",
    )
    warn_only: Texts = Field(
        (), description="Names of checks that warn and never refuse to publish."
    )
