"""What the sections of a job share."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a job: unknown keys are errors, and nothing changes once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def option(name: str) -> dict[str, Any]:
    """Marks a field as a command option; help, type and default come from the field itself."""
    return {"option": name}
