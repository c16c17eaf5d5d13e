"""What the sections of a job share."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.addresses import redact


class Section(BaseModel):
    """A part of a job: unknown keys are errors, and nothing changes once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def option(name: str) -> dict[str, Any]:
    """Marks a field as a command option; help, type and default come from the field itself."""
    return {"option": name}


def refuse_secrets(address: str | None) -> str | None:
    """The address, if it has no user, password or query string; it is written down as it is."""
    if address is not None and redact(address) != address:
        raise ValueError("credentials come from the environment, not from the address")
    return address
