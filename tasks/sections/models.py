"""Which models score, and for what."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.naming import RESERVED_SLUGS, slug
from tasks.sections.base import Section, option, refuse_secrets
from tasks.sections.listed import Texts, shown_list

BUNDLED = "bundled"
"""Model name that stands for the small models in `data/models/`."""

DEFAULT_TEMPLATES = {"es": "Este ejemplo es {}.", "en": "This example is {}."}


class Sentiment(Section):
    """Sentiment by a sequence-classification model."""

    enabled: bool = Field(
        True, description="Score sentiment.", json_schema_extra=option("--sentiment/--no-sentiment")
    )
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of a sequence-classification model.",
        json_schema_extra=option("--sentiment-model"),
    )
    revision: str | None = Field(
        None, description="Branch, tag or commit of the model; the run pins its commit sha."
    )

    @field_validator("model")
    @classmethod
    def _is_name(cls, model: str) -> str | None:
        return refuse_secrets(model)


class ZeroShot(Section):
    """Topics by zero-shot classification: every label gets a score."""

    labels: Texts = Field(
        min_length=1,
        description="Candidate labels, separated by commas.",
        json_schema_extra=option("--labels"),
    )
    method: Literal["nli", "embedding"] | None = Field(
        None,
        description="`nli` asks an entailment model, `embedding` compares sentence embeddings; "
        "without a value: embedding for the bundled model, nli for any other.",
        json_schema_extra=option("--method"),
    )
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of an NLI model or sentence encoder.",
        json_schema_extra=option("--topic-model"),
    )
    revision: str | None = Field(
        None, description="Branch, tag or commit of the model; the run pins its commit sha."
    )
    template: str | None = Field(
        None,
        description="Hypothesis with {} for the label; without a value, by the job's language.",
        json_schema_extra=option("--template"),
    )
    multi_label: bool = Field(
        False,
        description="Score each label by itself; scores then do not add up to 1.",
        json_schema_extra=option("--multi-label/--single-label"),
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="Softmax temperature of the embedding method; the model's own if none.",
    )
    shortlist: int | None = Field(
        None,
        ge=1,
        description="Labels that method nli asks about for each document, those most similar to "
        "it by embedding; the others get no score. With as many labels or fewer all are asked.",
        json_schema_extra=option("--shortlist"),
    )
    shortlist_model: str = Field(
        BUNDLED,
        description="Hub name or local folder of the sentence encoder that draws up shortlists.",
        json_schema_extra=option("--shortlist-model"),
    )

    @field_validator("model", "shortlist_model")
    @classmethod
    def _is_name(cls, model: str) -> str | None:
        return refuse_secrets(model)

    @field_validator("labels")
    @classmethod
    def _distinct_columns(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        columns: dict[str, str] = {}
        labels = tuple(label.strip() for label in given)
        for label in labels:
            name = slug(label)
            if "\n" in label or "\r" in label:
                raise ValueError(f"label {label!r} is more than one line; write each label alone")
            if not any(sign.isalnum() for sign in label):
                raise ValueError(f"label {label!r} has no letter or digit to name a column with")
            if name in RESERVED_SLUGS:
                raise ValueError(
                    f"label {label!r} would become the column topic_{name}, which is taken"
                )
            if label in columns.values():
                raise ValueError(f"label {label!r} is given twice")
            if name and name in columns:
                raise ValueError(
                    f"labels {columns[name]!r} and {label!r} both become the column topic_{name}"
                )
            columns[name or label] = label
        return labels

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
    def _fits_method(self) -> Self:
        embedding = self.method == "embedding" or (self.method is None and self.model == BUNDLED)
        if self.model == BUNDLED and not embedding:
            raise ValueError("method nli needs an NLI model: name one with `model`")
        if embedding and self.multi_label:
            raise ValueError("multi_label needs method nli: similarities are no probabilities")
        if embedding and self.shortlist is not None:
            raise ValueError(
                "shortlist needs method nli (name an NLI model with `model`): method embedding "
                "reads a document once, however many labels there are"
            )
        if self.shortlist is None and self.shortlist_model != BUNDLED:
            raise ValueError(
                "shortlist_model has nothing to do: say with `shortlist` how many labels a "
                "document it is to choose"
            )
        if len(self.labels) == 1 and not self.multi_label:
            raise ValueError(
                f"labels are understood as one, {shown_list(self.labels)}: every document would "
                "get it; separate labels with commas, or score one by itself with `multi_label` "
                "and method nli"
            )
        return self
