"""Candidate labels as a user gives them."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from nocturna.tasks.inference.models import BUNDLED
from nocturna.tasks.job.base import ModelOptions, option
from nocturna.tasks.job.listed import listed, shown_list
from nocturna.tasks.naming import RESERVED_SLUGS, slug


def _given(labels: Any) -> Any:
    return labels if labels is None else listed(labels)


def _distinct_columns(given: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    columns: dict[str, str] = {}
    labels = tuple(label.strip() for label in given)
    for label in labels:
        name = slug(label)
        if "\n" in label or "\r" in label:
            raise ValueError(f"label {label!r} is more than one line; write each label alone")
        if not any(sign.isalnum() for sign in label):
            raise ValueError(f"label {label!r} has no letter or digit to name a column with")
        if name in RESERVED_SLUGS:
            raise ValueError(f"label {label!r} would become the column ..._{name}, which is taken")
        if label in columns.values():
            raise ValueError(f"label {label!r} is given twice")
        if name and name in columns:
            raise ValueError(
                f"labels {columns[name]!r} and {label!r} both become the column ..._{name}"
            )
        columns[name or label] = label
    return labels


Labels = Annotated[
    tuple[str, ...] | None, BeforeValidator(_given), AfterValidator(_distinct_columns)
]
"""Labels however a list is written, each with a column name of its own."""


def zero_shot(values: Mapping[str, Any]) -> bool:
    """Whether a score is described by labels of the user's own, or of each document."""
    listed_here = "labels" in values and not isinstance(values["labels"], dict)
    return listed_here or bool(values.get("labels_column"))


def several(labels: tuple[str, ...] | None) -> None:
    """Makes sure that there is something to choose from.

    Raises:
        ValueError: there is one label only, which every document would get.
    """
    if labels is not None and len(labels) == 1:
        raise ValueError(
            f"labels are understood as one, {shown_list(labels)}: every document would get it; "
            "separate labels with commas, or score one by itself with `multi_label` and an NLI "
            "model"
        )


class LabelOptions(ModelOptions):
    """What a job may say about a score for labels of its own, whoever gives it."""

    labels: Labels = Field(
        None,
        min_length=1,
        description="Candidate labels, separated by commas.",
        json_schema_extra=option("--labels", score="topic"),
    )
    labels_column: str | None = Field(
        None,
        description="Source column with the candidate labels of each document, in their stead.",
    )
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of an NLI model or sentence encoder.",
        json_schema_extra=option("--topic-model", score="topic"),
    )
    template: str | None = Field(
        None,
        description="Hypothesis with {} for the label; without a value, the label itself or, for "
        "an NLI model, by the job's language.",
        json_schema_extra=option("--template", score="topic"),
    )

    @field_validator("template")
    @classmethod
    def _has_slot(cls, template: str | None) -> str | None:
        if template is not None and template.count("{}") != 1:
            raise ValueError(f"template {template!r} needs exactly one {{}} for the label")
        if template is not None and set("{}") & set(template.replace("{}", "")):
            raise ValueError(
                f"template {template!r} has braces beside the {{}} for the label; leave them out"
            )
        return template

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if (self.labels is None) == (self.labels_column is None):
            raise ValueError("give either `labels` or `labels_column`")
        return self
