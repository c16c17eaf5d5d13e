"""Telling people how a run ended, through apprise.

What is told holds names, counts and one line of cause, no text of documents. Nothing here raises
or waits for long: a night is never lost to a notification.
"""

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from nocturna.couriers import address_of, send, sender_to
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.targets import Event, Target
from nocturna.tasks.visible import visible

LIMIT_SECONDS = 10.0
"""How long all notifications of a run may take together."""

MOST_CAUSE = 2000
"""Characters of a cause that are told: services refuse long messages, and `more` has all of it."""

_TYPES = {"failure": "failure", "refusal": "warning", "recovery": "success", "success": "success"}
_STATUS = re.compile(r"\berror=(\d{3})\b")
_log = logging.getLogger("apprise")


@dataclass(frozen=True)
class Ending:
    """How a run ended, as people are told.

    Attributes:
        outcome: in words, e.g. `failed`.
        cause: why, in one line; None where there is nothing to explain.
        counts: rows by what became of them; empty where the run did not come that far.
        seconds: wall-clock time.
        more: the command that shows the whole story.
    """

    event: Event
    job: str
    run_id: str
    outcome: str
    cause: str | None
    counts: dict[str, int]
    seconds: float
    more: str
    host: str = socket.gethostname()

    @property
    def title(self) -> str:
        return f"Nocturna: {self.job} {self.outcome}"

    @property
    def body(self) -> str:
        lines = [f"Cause: {self.cause}"] if self.cause else []
        lines.append(f"Run: {self.run_id} on {self.host}, {self.seconds:,.1f} s")
        if self.counts:
            counts = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
            lines.append(f"Rows: {counts}")
        return "\n".join([*lines, f"More: {self.more}"])


def missing_addresses(targets: Sequence[Target]) -> list[str]:
    """A line for each target whose address is not there, before anybody has to be told."""
    lines = []
    for target in targets:
        try:
            address_of(target)
        except NocturnaError as error:
            lines.append(f"notify: {target.kept_in}: {error}")
    return lines


def tell_all(targets: Sequence[Target], ending: Ending) -> list[str]:
    """Tells every target that wants to know, side by side, for at most LIMIT_SECONDS.

    Returns:
        a line for each that could not be told.
    """
    wanted = [target for target in targets if ending.event in target.events]
    cause = visible(ending.cause or "")
    cause = cause if len(cause) <= MOST_CAUSE else f"{cause[:MOST_CAUSE]}…"
    ending = replace(ending, cause=cause or None, more=visible(ending.more))
    found: list[str | None] = [f"gave up after {LIMIT_SECONDS:g} s" for _ in wanted]

    def tell(position: int, target: Target) -> None:
        found[position] = _tell(target, ending)

    threads = [threading.Thread(target=tell, args=pair, daemon=True) for pair in enumerate(wanted)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LIMIT_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    pairs = zip(wanted, list(found), strict=True)
    return [
        f"notify: {target.kept_in}: not told of run {ending.run_id}: {why}"
        for target, why in pairs
        if why
    ]


def _tell(target: Target, ending: Ending) -> str | None:
    """Tells one target; why that failed, in words without any secret."""
    try:
        with _heard() as said:
            sender = sender_to(target, asdict(ending))
            told = send(sender, ending.title, ending.body, _TYPES[ending.event])
    except NocturnaError as error:
        return str(error)
    except Exception as error:
        return f"unexpected {type(error).__name__}"
    if told:
        return None
    status = _STATUS.search(" ".join(said))
    return f"the server answered {status[1]}" if status else "it does not answer, or refuses"


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the library says in this thread while the block runs; it is shown nowhere else."""
    said: list[str] = []
    me = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == me:
                said.append(record.getMessage())

    ear = Ear(logging.WARNING)
    _log.addHandler(ear)
    _log.setLevel(logging.WARNING)
    _log.propagate = False
    try:
        yield said
    finally:
        _log.removeHandler(ear)
