"""What the sections of a job share."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from nocturna.tasks.addresses import redact


class Section(BaseModel):
    """A part of a job: unknown keys are errors, and nothing changes once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_no_odd_numbers(cls, values: Any) -> Any:
        """Refuses what a number would be made of, although nobody can have meant it so."""
        for name, field in cls.model_fields.items():
            wanted = str(field.annotation)
            found = values.get(name) if isinstance(values, dict) else None
            if re.search(r"\b(int|float)\b", wanted) and "bool" not in wanted:
                for one in found.values() if isinstance(found, dict) else (found,):
                    _refuse_odd_number(name, one)
        return values


def _refuse_odd_number(name: str, value: Any) -> None:
    if isinstance(value, bool):
        said = str(value).lower()
        raise ValueError(f"{name}: {said} is no number: YAML reads yes, no, on and off so")
    if isinstance(value, str) and re.match(r"[-+]?0[0-9_]", value.strip()):
        raise ValueError(f"{name}: {value} is no number: leave out the 0 in front")


def option(name: str, score: str | None = None) -> dict[str, Any]:
    """Marks a field as a command option; help, type and default come from the field itself.

    Args:
        score: for a field of a score: the name of the score that the option is about.
    """
    return {"option": name} | ({"score": score} if score else {})


def refuse_secrets(address: str | None) -> str | None:
    """The address, if it has no user, password or query string; it is written down as it is."""
    if address is not None and redact(address) != address:
        raise ValueError("credentials come from the environment, not from the address")
    return address


def as_names(value: Any) -> Any:
    """One name or a list of names as a tuple; anything else as it is."""
    return (value,) if isinstance(value, str) else value


class Calibration(Section):
    """Scores closer to how often they are right, as `nocturna evaluate --calibrate` fits them.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature and bias).
    """

    temperature: float = Field(
        1.0, gt=0, description="Divides the logarithms of the scores; above 1 makes them less sure."
    )
    bias: dict[Annotated[str, BeforeValidator(str)], float] = Field(
        {}, description="What is then added for each label; 0 for those that are not named."
    )


class ScoreOptions(Section):
    """What a job may say about a score of any kind; each head adds its own."""

    kind: str
    when: dict[str, Annotated[tuple[str, ...], BeforeValidator(as_names)]] = Field(
        {},
        description="Which documents it is for: `language: es`, or labels of another score, as in "
        "`topic: política`; all documents if none. The others are null.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least score that a document's label must have; below it the label is null. "
        "0.5 for a classifier that gives each of its labels by itself.",
    )
    calibration: Calibration | None = Field(
        None, description="Temperature and biases that scores are calibrated with; raw if none."
    )


class ModelOptions(ScoreOptions):
    """What a job may say about a score that one model gives; each head says what `model` is."""

    model: str
    revision: str | None = Field(
        None, description="Branch, tag or commit of the model; the run pins its commit sha."
    )

    @field_validator("model")
    @classmethod
    def _is_name(cls, model: str) -> str | None:
        return refuse_secrets(model)
