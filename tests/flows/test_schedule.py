"""The dates that nights fall due on, over years and through every change of the clocks."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from nocturna.schedule import make_schedule
from nocturna.tasks.errors import UsageError

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Madrid", "America/New_York", "America/Santiago", "Australia/Lord_Howe",
         "Africa/Casablanca", "Asia/Kolkata", "Europe/Dublin")  # fmt: skip


def wall(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """The first instant of a day that a wall clock shows this time at, or skips it at; in UTC."""
    before = datetime.combine(day, time(), zone).astimezone(UTC)
    wanted = time(hour, minute)
    while True:
        local = before.astimezone(zone)
        if local.date() > day or local.time() >= wanted:
            return before
        before += timedelta(minutes=1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour, minute", [(2, 0), (2, 30), (0, 0), (1, 15)])
def test_a_daily_night_is_due_once_a_day_at_its_wall_clock_time(zone, hour, minute):
    schedule = make_schedule(f"{minute} {hour} * * *", zone)
    due = list(takewhile(lambda when: when < END, schedule.after(START)))
    days = [date(2025, 12, 31) + timedelta(days=n) for n in range(733)]
    expected = [wall(day, hour, minute, ZoneInfo(zone)) for day in days]
    assert due == [when for when in expected if START < when < END]


@pytest.mark.parametrize(
    "day, local",
    [
        ((2026, 3, 28), "2026-03-28 02:00 CET"),
        ((2026, 3, 29), "2026-03-29 03:00 CEST"),  # 02:00 does not exist
        ((2026, 10, 25), "2026-10-25 02:00 CEST"),  # 02:00 comes twice: the first
        ((2026, 10, 26), "2026-10-26 02:00 CET"),
    ],
)
def test_two_in_the_morning_in_madrid(day, local):
    schedule = make_schedule("0 2 * * *", "Europe/Madrid")
    midnight = datetime(*day, tzinfo=schedule.zone)
    due = list(takewhile(lambda d: d.astimezone(schedule.zone).day == day[2],
                         schedule.after(midnight)))  # fmt: skip
    assert [schedule.local(when) for when in due] == [local]


@pytest.mark.parametrize("cron, minutes", [("* * * * *", 1), ("*/15 * * * *", 15)])
@pytest.mark.parametrize("day", [(2026, 3, 28, 22), (2026, 10, 24, 22)])
def test_what_follows_the_time_that_passes_has_no_gap_and_no_double(cron, minutes, day):
    schedule = make_schedule(cron, "Europe/Madrid")
    start = datetime(*day, tzinfo=UTC)
    due = schedule.next(start, 24 * 60 // minutes)
    assert due == [start + timedelta(minutes=minutes * (n + 1)) for n in range(len(due))]


def test_every_start_finds_the_same_dates():
    """The engine is told the next few dates again and again, whenever that is."""
    schedule = make_schedule("30 2 * * *", "Europe/Madrid")
    for start in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        wanted = schedule.next(start, 6)
        moment = start
        while moment < wanted[2]:
            left = [when for when in wanted if when > moment][:3]
            assert schedule.next(moment, 3) == left, moment
            moment += timedelta(minutes=10)


@pytest.mark.parametrize(
    "cron, after, until, expected",
    [
        ("0 2 * * *", "2026-01-01", "2026-06-01", "2026-06-01T00:00"),
        ("0 2 * * *", "2026-05-31T03:00", "2026-05-31T22:00", None),
        ("0 2 1 1 *", "2020-06-01", "2026-06-01", "2026-01-01T01:00"),
        ("* * * * *", "2020-06-01", "2026-06-01T10:00:30", "2026-06-01T10:00"),
        ("0 2 29 2 *", "2025-01-01", "2027-01-01", None),
    ],
)
def test_the_latest_date_of_a_time_that_passed(cron, after, until, expected):
    schedule = make_schedule(cron, "Europe/Madrid")
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (after, until))
    found = schedule.latest(start, end)
    assert found == (expected and datetime.fromisoformat(expected).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "cron", ["", "2 * * *", "0 2 * * * *", "61 2 * * *", "0 2 31 2 *", "mañana", "0 2 * * FOO"]
)
def test_what_is_no_schedule_is_one_line(cron):
    with pytest.raises(UsageError, match="five fields"):
        make_schedule(cron, "UTC")


@pytest.mark.parametrize("zone", ["Madrid", "", "../etc/passwd", "Europe/", "UTC+1 "])
def test_what_is_no_time_zone_is_one_line(zone):
    with pytest.raises(UsageError, match="Europe/Madrid"):
        make_schedule("0 2 * * *", zone)
