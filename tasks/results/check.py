"""One quality gate and what it found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One gate: its value, its limit and, in words, what was found.

    A check that did not pass refuses to publish, unless it is a `warning`. A `hard` one cannot be
    accepted.
    """

    name: str
    hard: bool
    passed: bool
    value: float
    limit: float
    message: str
    warning: bool = False

    def said_of(self, run_id: str) -> str:
        """The message, with the run's own folders."""
        return self.message.replace("<run_id>", run_id)
