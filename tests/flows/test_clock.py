"""What the clock decides where nights meet, are missed or die; the nights are real processes."""

import subprocess
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from nocturna.clock import Clock, Rules, Turn
from nocturna.schedule import make_schedule
from nocturna.served_night import Due, Night
from nocturna.stamp import read_stamp, write_stamp
from nocturna.tasks.errors import NocturnaError, RunLocked
from nocturna.tasks.job.job import Job
from nocturna.tasks.run.frozen import job_layout

TWO = datetime(2026, 11, 20, 2, tzinfo=UTC)
DAY = timedelta(days=1)


class Page:
    """What an engine would show."""

    def __init__(self):
        self.told: list[tuple[str, str]] = []
        self.off: set[str] = set()

    def flow_run(self, job, date):
        return None

    def is_off(self, due):
        return due.job.name in self.off

    def refused(self, due, reason):
        self.told.append((due.job.name, reason))

    def ended(self, due, code):
        self.told.append((due.job.name, code))

    def may_start(self):
        return True


class Bench:
    """A clock whose hands are moved; its nights last until they are let go."""

    def __init__(self, folder, names=("a",), since=TWO - timedelta(hours=1), **rules):
        jobs = [
            Job(name=name, source={"path": "x.jsonl"}, output={"dir": str(folder)})
            for name in names
        ]
        self.said, self.started, self.page = [], [], Page()
        turns = [Turn(job, read_stamp(job_layout(job)) or since) for job in jobs]
        schedule = make_schedule("0 2 * * *", "UTC")
        self.not_run: list[tuple[str, NocturnaError]] = []

        def note(job: Job, error: NocturnaError) -> None:
            self.not_run.append((job.name, error))

        self.clock = Clock(schedule, Rules(**rules), turns, self.said.append, note, _seen=since)
        self.clock.shown, self.clock.start = self.page, self.start

    def start(self, due: Due) -> Night:
        self.started.append((due.job.name, due.date))
        process = subprocess.Popen(["sleep", "600"], stdin=subprocess.PIPE, start_new_session=True)
        listener = threading.Thread(target=lambda: None)
        listener.start()
        return Night(due, process, listener)

    def end(self, name: str) -> None:
        (turn,) = [turn for turn in self.clock.turns if turn.job.name == name]
        turn.night.process.kill()
        turn.night.process.wait()

    def going(self) -> list[str]:
        return [turn.job.name for turn in self.clock.turns if turn.night]

    def close(self) -> None:
        for turn in self.clock.turns:
            if turn.night:
                turn.night.kill()


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(*names, **rules):
        made.append(Bench(tmp_path / "out", names or ("a",), **rules))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_night_starts_once_when_it_is_due(bench):
    on = bench()
    for minutes in (-5, 0, 1, 2, 30):
        on.clock._look(TWO + timedelta(minutes=minutes))
    assert on.started == [("a", TWO)]


def test_a_night_that_is_due_while_one_runs_is_refused_with_a_line(bench):
    on = bench()
    on.clock._look(TWO)
    on.clock._look(TWO + DAY)
    assert on.started == [("a", TWO)]
    (line,) = on.said
    assert line == (
        "nocturna: a: the night of 2026-11-21 02:00 UTC is not started: "
        "the night of 2026-11-20 02:00 UTC still runs"
    )
    assert on.page.told == [("a", "the night of 2026-11-20 02:00 UTC still runs")]
    ((name, error),) = on.not_run
    assert name == "a" and isinstance(error, RunLocked) and "still runs" in str(error)
    on.end("a")
    on.clock._look(TWO + DAY + timedelta(minutes=1))
    assert on.going() == [], "what was refused does not start later"
    on.clock._look(TWO + 2 * DAY)
    assert on.going() == ["a"]


def test_with_overlap_wait_one_night_is_queued_and_no_more(bench):
    on = bench(overlap="wait")
    for nights in range(3):
        on.clock._look(TWO + nights * DAY)
    assert on.started == [("a", TWO)]
    assert "waits for the night before to end" in on.said[0]
    assert "2026-11-22 02:00 UTC is not started: the night of 2026-11-21" in on.said[1]
    on.end("a")
    on.clock._look(TWO + 2 * DAY + timedelta(hours=1))
    assert on.started == [("a", TWO), ("a", TWO + DAY)]


def test_a_night_that_was_killed_is_told_and_keeps_nobody_from_the_next(bench):
    on = bench()
    on.clock._look(TWO)
    on.end("a")
    on.clock._look(TWO + timedelta(hours=1))
    assert "the run was killed (signal 9)" in on.said[0]
    assert on.page.told == [("a", -9)]
    on.clock._look(TWO + DAY)
    assert on.going() == ["a"]


def test_six_jobs_that_are_due_together_all_run_two_at_a_time(bench):
    names = tuple("abcdef")
    on = bench(*names)
    on.clock._look(TWO)
    seen = []
    for minutes in range(1, 8):
        seen.append(len(on.going()))
        for name in on.going():
            on.end(name)
        on.clock._look(TWO + timedelta(minutes=minutes))
    assert max(seen) == 2
    assert [name for name, _ in on.started] == list(names), "in the order that was given"
    assert sum("due, and waits: 2 runs go on" in line for line in on.said) == 4


def test_a_job_that_never_ends_leaves_the_others_their_schedule(bench):
    on = bench("stuck", "well")
    for nights in range(3):
        on.clock._look(TWO + nights * DAY)
        on.end("well")
        on.clock._look(TWO + nights * DAY + timedelta(hours=1))
    assert [name for name, _ in on.started] == ["stuck", "well", "well", "well"]


@pytest.mark.parametrize("catch_up, started", [(False, []), (True, [("a", TWO + 3 * DAY)])])
def test_after_a_downtime_one_missed_night_runs_or_none(bench, catch_up, started):
    first = bench(since=TWO - timedelta(hours=1))
    first.clock._begin()  # and then the machine was off
    later = bench(since=TWO + 3 * DAY + timedelta(hours=5), catch_up=catch_up)
    later.clock._begin()
    assert later.started == started
    (line,) = later.said
    assert "the night of 2026-11-23 02:00 UTC was missed" in line
    for night in later.going():
        later.end(night)
    later.clock._look(TWO + 3 * DAY + timedelta(hours=6))
    again = bench(since=TWO + 3 * DAY + timedelta(hours=7), catch_up=True)
    again.clock._begin()
    assert again.started == [], "a night is missed once"


def test_a_night_that_was_cut_short_counts_as_missed(bench, tmp_path):
    on = bench()
    on.clock._begin()
    on.clock._look(TWO)
    assert on.going() == ["a"]  # and then the power failed
    later = bench(since=TWO + timedelta(hours=5), catch_up=True)
    later.clock._begin()
    assert later.started == [("a", TWO)]


def test_a_machine_that_slept_through_a_night_treats_it_as_missed(bench):
    on = bench()
    on.clock._look(TWO + timedelta(hours=5))
    assert on.started == []
    assert "was missed" in on.said[0]


def test_the_first_clock_of_a_job_has_missed_nothing(bench, tmp_path):
    on = bench(since=TWO + timedelta(hours=5), catch_up=True)
    on.clock._begin()
    assert on.started == [] and on.said == []


@pytest.mark.parametrize("content", ["", "[]", '{"dealt_with": 3}', '{"dealt_with": "x"}', "\0"])
def test_a_stamp_that_cannot_be_read_is_as_if_there_were_none(bench, tmp_path, content):
    on = bench()
    layout = job_layout(on.clock.turns[0].job)
    write_stamp(layout, TWO)
    (stamp,) = layout.root.iterdir()
    assert read_stamp(layout) == TWO
    stamp.write_text(content, encoding="utf-8")
    assert read_stamp(layout) is None


def test_a_job_that_somebody_paused_is_not_started_but_runs_when_asked(bench):
    on = bench("a", "b")
    on.page.off = {"a"}
    on.clock._look(TWO)
    assert on.going() == ["b"]
    assert "paused" in on.said[0]
    asked = Due(on.clock.turns[0].job, TWO, uuid4(), asked=True)
    on.clock.inbox.put(asked)
    on.clock._heard()
    assert on.going() == ["a", "b"]


def test_a_run_can_be_stopped_by_its_id(bench):
    on = bench()
    asked = Due(on.clock.turns[0].job, TWO, UUID(int=7), asked=True)
    on.clock.inbox.put(asked)
    on.clock._heard()
    on.clock.inbox.put(UUID(int=7))
    on.clock._heard()
    on.clock.turns[0].night.process.wait(10)
    on.clock._look(TWO)
    assert "signal 15" in on.said[0]


def test_where_no_process_can_be_started_the_clock_ends_with_a_line(bench):
    on = bench()

    def fail(due):
        raise OSError(11, "Resource temporarily unavailable")

    on.clock._seen = datetime.now(UTC) - DAY - timedelta(seconds=1)
    on.clock.turns[0].waiting = Due(on.clock.turns[0].job, TWO)
    with pytest.raises(NocturnaError, match="a: no process could be started"):
        on.clock.run(on.page, fail)
