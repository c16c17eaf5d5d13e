"""When a job is due: cron fields read on the wall clock of a time zone, through summer time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from nocturna.tasks.errors import UsageError

_LOOK_BACK = tuple(timedelta(hours=hours) for hours in (1, 30, 24 * 40, 24 * 400, 24 * 1600))


@dataclass(frozen=True)
class Schedule:
    """Five cron fields, read on a zone's wall clock by the rules of Debian's cron.

    A time that is skipped when clocks go forward falls due at the first minute after the gap
    (`0 2 * * *` in Madrid: at 03:00), one that comes twice when they go back the first time only.
    Minutes or hours that begin with `*` follow the time that passes instead.
    """

    cron: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every date later than a moment, in order, each once; aware, in UTC."""
        last = moment
        for date in CronSim(self.cron, moment.astimezone(self.zone)):
            found = date.astimezone(UTC)
            if found > last:
                last = found
                yield found

    def next(self, moment: datetime, dates: int) -> list[datetime]:
        """The first so many dates later than a moment."""
        return list(islice(self.after(moment), dates))

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last date later than `after` and not later than `until`; None if there is none."""
        for back in _LOOK_BACK:
            start = max(after, until - back)
            dates = list(takewhile(lambda date: date <= until, self.after(start)))
            if dates or start == after:
                return dates[-1] if dates else None
        return None

    def local(self, date: datetime) -> str:
        """A date as people of the zone write it: `2026-03-29 03:00 CEST`."""
        return f"{date.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"

    def __str__(self) -> str:
        return f"'{self.cron}' {self.zone.key}"


def make_schedule(cron: str, timezone: str) -> Schedule:
    """A schedule from what a user wrote.

    Raises:
        UsageError: the time zone or the cron fields are not valid, or name no date that exists.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"nocturna serve: --timezone {timezone!r} is no time zone; give one such as "
            "Europe/Madrid"
        ) from None
    schedule = Schedule(" ".join(cron.split()), zone)
    try:
        if len(cron.split()) == 5 and schedule.next(datetime.now(UTC), 1):
            return schedule
    except CronSimError:
        pass
    raise UsageError(
        f"nocturna serve: --cron {cron!r} is no schedule; give five fields, such as '0 2 * * *'"
    )
