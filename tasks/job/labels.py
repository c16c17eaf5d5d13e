"""Candidate labels as a user gives them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from nocturna.tasks.inference.models import BUNDLED
from nocturna.tasks.job.base import ModelOptions, option
from nocturna.tasks.job.listed import listed, shown_list
from nocturna.tasks.naming import RESERVED_SLUGS, slug

Worded = dict[str, tuple[str, ...]]
"""The wordings of each label."""


def _given(labels: Any) -> Any:
    found: Any = labels
    if isinstance(labels, Mapping):
        found = {str(label): listed(own) or [str(label)] for label, own in labels.items()}
    elif labels is not None:
        found = listed(labels)
    if found is not None and not found:
        raise ValueError("the label list is empty; give at least one label")
    return found


def _distinct(given: tuple[str, ...] | Worded | None) -> tuple[str, ...] | Worded | None:
    if not isinstance(given, dict):
        return None if given is None else _distinct_columns(given)
    labels = _distinct_columns(tuple(given))
    worded = {
        label: tuple(wording.strip() for wording in own)
        for label, own in zip(labels, given.values(), strict=True)
    }
    every = [wording for own in worded.values() for wording in own]
    twice = next((wording for wording in every if every.count(wording) > 1), None)
    if twice is not None:
        raise ValueError(f"the wording {twice!r} is given twice")
    return worded


def _distinct_columns(given: tuple[str, ...]) -> tuple[str, ...]:
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
    tuple[str, ...] | Worded | None, BeforeValidator(_given), AfterValidator(_distinct)
]
"""Labels however a list is written, each with a column name of its own; with wordings or without.
"""


def _template(template: str) -> str:
    if template.count("{}") != 1:
        raise ValueError(f"template {template!r} needs exactly one {{}} for the label")
    if set("{}") & set(template.replace("{}", "")):
        raise ValueError(
            f"template {template!r} has braces beside the {{}} for the label; leave them out"
        )
    return template


def _templates(templates: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    if templates is None or isinstance(templates, str):
        return None if templates is None else _template(templates)
    found = tuple(map(_template, templates))
    if len(set(found)) < len(found) or not found:
        raise ValueError("give at least one template, and each once")
    return found if len(found) > 1 else found[0]


def zero_shot(values: Mapping[str, Any]) -> bool:
    """Whether a score is described by labels of the user's own, or of each document."""
    labels = values.get("labels")
    own = "labels" in values and not isinstance(labels, Mapping)
    worded = isinstance(labels, Mapping) and any(
        isinstance(wordings, list | tuple) for wordings in labels.values()
    )
    return own or worded or bool(values.get("labels_column"))


def several(labels: tuple[str, ...]) -> None:
    """Makes sure that there is something to choose from.

    Raises:
        ValueError: there is one label only, which every document would get.
    """
    if len(labels) == 1:
        raise ValueError(
            f"labels are understood as one, {shown_list(labels)}: every document would get it; "
            "separate labels with commas, or score one by itself with `multi_label`"
        )


class LabelOptions(ModelOptions):
    """What a job may say about a score for labels of its own, whoever gives it."""

    labels: Labels = Field(
        None,
        description="Candidate labels, separated by commas; in a job file also with several "
        "wordings of each, as in `{política: [política, el gobierno]}`.",
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
    wordings: Literal["best", "mean"] = Field(
        "best", description="Which score a label with several wordings gets."
    )
    template: Annotated[str | tuple[str, ...] | None, AfterValidator(_templates)] = Field(
        None,
        description="Hypothesis with {} for the label; without a value, by the job's language for "
        "an NLI model and where an encoder has one of its own, else the label itself. In a job "
        "file also several, whose scores are averaged.",
        json_schema_extra=option("--template", score="topic"),
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The labels; none where documents bring their own."""
        return tuple(self.labels or ())

    def sentences(self, template: str) -> dict[str, Any]:
        """What decides the sentences about labels, as settings of a score.

        Args:
            template: the one of a job that has none.
        """
        told = self.template or template
        settings: dict[str, Any] = {"template": told if isinstance(told, str) else list(told)}
        if isinstance(self.labels, dict):
            settings["wordings"] = {label: list(own) for label, own in self.labels.items()}
            settings["joined"] = self.wordings
        return settings

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if (self.labels is None) == (self.labels_column is None):
            raise ValueError("give either `labels` or `labels_column`")
        return self
