"""The clock of `nocturna serve`: starts each night when it is due, one of a job at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Literal, Protocol
from uuid import UUID

from nocturna.schedule import Schedule
from nocturna.served_night import Due, Night
from nocturna.stamp import write_stamp
from nocturna.tasks.errors import NocturnaError, RunLocked
from nocturna.tasks.job.job import Job
from nocturna.tasks.run.frozen import job_layout

GRACE = timedelta(minutes=5)
"""A date that is noticed later than this was missed: the machine was off, or slept."""

STOP_SECONDS = 18.0
"""What nights in hand may take for their last batch once the clock is asked to stop."""

_LOOK_SECONDS = 5.0


class Shown(Protocol):
    """Where the clock shows what it decides."""

    def flow_run(self, job: Job, date: datetime) -> UUID | None:
        """The run that is shown for a night to come."""

    def is_off(self, due: Due) -> bool:
        """Whether somebody does not want this night."""

    def refused(self, due: Due, reason: str) -> None:
        """A night does not start."""

    def ended(self, due: Due, code: int) -> None:
        """A run ended, perhaps without saying so there."""

    def may_start(self) -> bool:
        """Whether nights can be started; no for a short while after the start."""


@dataclass(frozen=True)
class Rules:
    """What a user decides about nights that meet.

    Attributes:
        overlap: what becomes of a night that is due while the one before still runs.
        catch_up: whether one night that was missed is run as soon as it can be.
        at_once: runs that may go on side by side; further ones wait their turn.
    """

    overlap: Literal["refuse", "wait"] = "refuse"
    catch_up: bool = False
    at_once: int = 2


@dataclass
class Turn:
    """One job on the clock."""

    job: Job
    dealt_with: datetime
    waiting: Due | None = None
    night: Night | None = None


@dataclass
class Clock:
    """Jobs on a schedule.

    What happens outside reaches it through `inbox`: the number of a signal, a `Due` that somebody
    asked for, the id of a run to stop, an error that ends it, or None for a look around. What a
    night cannot note itself goes to `not_run`: that it was not started, or was killed.
    """

    schedule: Schedule
    rules: Rules
    turns: list[Turn]
    say: Callable[[str], None]
    not_run: Callable[[Job, NocturnaError], None] = lambda job, error: None
    inbox: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    _seen: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, shown: Shown, start: Callable[[Due], Night]) -> int:
        """Starts nights until a signal comes; returns its number.

        Args:
            shown: where decisions are shown.
            start: starts the process of a night.

        Raises:
            NocturnaError: no night can be started any more, or an error came in.
        """
        self.shown, self.start = shown, start
        try:
            self._begin()
            while True:
                self._look(datetime.now(UTC))
                asked = self._heard()
                if isinstance(asked, int):
                    self._stop()
                    return asked
                if isinstance(asked, BaseException):
                    self._stop()
                    raise asked
        finally:
            for turn in self.turns:
                if turn.night is not None:
                    self.shown.ended(turn.night.due, turn.night.kill())

    def next_dates(self) -> str:
        """When the jobs run next, for a person."""
        (date,) = self.schedule.next(datetime.now(UTC), 1)
        return f"{self.schedule.local(date)} ({self.schedule.zone.key})"

    def _begin(self) -> None:
        for turn in self.turns:
            missed = self.schedule.latest(turn.dealt_with, self._seen)
            if missed is not None:
                self._missed(turn, missed)
            elif turn.waiting is None:
                self._note_dealt_with(turn)

    def _look(self, now: datetime) -> None:
        date = self.schedule.latest(self._seen, now) if now > self._seen else None
        if date is not None:
            self._seen = date
        for turn in self.turns:
            self._look_after(turn)
            if date is not None and now - date > GRACE:
                self._missed(turn, date)
            elif date is not None:
                self._offer(turn, Due(turn.job, date, self.shown.flow_run(turn.job, date)))
        if self.shown.may_start():
            self._start_waiting()

    def _missed(self, turn: Turn, date: datetime) -> None:
        local = self.schedule.local(date)
        if self.rules.catch_up:
            self._tell(turn, f"the night of {local} was missed; it is run now")
            self._offer(turn, Due(turn.job, date, caught_up=True))
        else:
            self._tell(turn, f"the night of {local} was missed; --catch-up would run it now")
            self._note_dealt_with(turn)

    def _offer(self, turn: Turn, due: Due) -> None:
        if not due.asked and self.shown.is_off(due):
            self._refuse(turn, due, "it is paused or cancelled in the engine's page")
        elif turn.night is not None and self.rules.overlap == "refuse":
            since = self.schedule.local(turn.night.due.date)
            self._refuse(turn, due, f"the night of {since} still runs")
        elif turn.waiting is not None:
            since = self.schedule.local(turn.waiting.date)
            self._refuse(turn, due, f"the night of {since} still waits for its turn")
        else:
            turn.waiting = due
            if self.shown.may_start():
                self._start_waiting()
            if turn.night is not None and turn.waiting is not None:
                self._tell(turn, "due, and waits for the night before to end")
            elif turn.waiting is not None and self.shown.may_start():
                self._tell(turn, f"due, and waits: {self.rules.at_once} runs go on (--at-once)")

    def _refuse(self, turn: Turn, due: Due, reason: str) -> None:
        self._tell(turn, f"the night of {self.schedule.local(due.date)} is not started: {reason}")
        self.shown.refused(due, reason)
        self.not_run(due.job, RunLocked(f"not started: {reason}"))

    def _start_waiting(self) -> None:
        ready = [turn for turn in self.turns if turn.waiting and not turn.night]
        for turn in sorted(
            ready, key=lambda turn: turn.waiting.date if turn.waiting else self._seen
        ):
            if sum(other.night is not None for other in self.turns) >= self.rules.at_once:
                return
            due, turn.waiting = turn.waiting, None
            assert due is not None
            try:
                turn.night = self.start(due)
            except OSError as error:
                raise NocturnaError(
                    f"nocturna serve: {turn.job.name}: no process could be started: "
                    f"{error.strerror or error}; nights cannot go on"
                ) from None

    def _look_after(self, turn: Turn) -> None:
        code = turn.night.ended() if turn.night else None
        if turn.night is None or code is None:
            return
        due, turn.night = turn.night.due, None
        if code < 0:
            self._tell(turn, f"the run was killed (signal {-code}); the next one goes on with it")
            self.not_run(due.job, NocturnaError(f"killed (signal {-code})"))
        self.shown.ended(due, code)
        self._note_dealt_with(turn)
        if turn.waiting is None:
            self._tell(turn, f"runs next at {self.next_dates()}")

    def _note_dealt_with(self, turn: Turn) -> None:
        """Remembers, across restarts, up to when nights were run, refused or given up."""
        if turn.night is None and turn.waiting is None:
            turn.dealt_with = self._seen
            try:
                write_stamp(job_layout(turn.job), self._seen)
            except OSError as error:
                self._tell(turn, f"{error.strerror or error}: a missed night would go unnoticed")

    def _heard(self) -> Any:
        """What comes first: a message, the next date, or the time to look around."""
        now = datetime.now(UTC)
        (date,) = self.schedule.next(max(now, self._seen), 1)
        try:
            asked = self.inbox.get(timeout=min(_LOOK_SECONDS, (date - now).total_seconds()))
        except Empty:
            return None
        if isinstance(asked, Due):
            found = [turn for turn in self.turns if turn.job.name == asked.job.name]
            if found:
                self._offer(found[0], asked)
            else:
                self.shown.refused(asked, f"no job {asked.job.name!r} is served here")
        elif isinstance(asked, UUID):
            for turn in self.turns:
                if turn.night is not None and turn.night.due.flow_run == asked:
                    turn.night.stop()
        return asked

    def _stop(self) -> None:
        """Lets the nights in hand finish their batch; a second signal ends them at once."""
        going = [turn.night for turn in self.turns if turn.night is not None]
        for night in going:
            night.stop()
        until = time.monotonic() + STOP_SECONDS
        while any(night.ended() is None for night in going) and time.monotonic() < until:
            try:
                if isinstance(self.inbox.get(timeout=0.2), int):
                    return
            except Empty:
                continue

    def _tell(self, turn: Turn, line: str) -> None:
        self.say(f"nocturna: {turn.job.name}: {line}")
