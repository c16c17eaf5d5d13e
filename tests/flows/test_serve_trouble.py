"""What users of schedulers report, tried on `nocturna serve`: kills, pile-ups, downtimes."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from tests.flows.leftovers import left, nothing_left
from tests.flows.serving import runs_of, write_job

pytestmark = pytest.mark.slow

EVERY_MINUTE = ("--cron", "* * * * *", "--timezone", "Europe/Madrid")
READY = r"engine at (\S+), its page at \S+, password (\S+)"
NAMES = tuple("abcdef")


def nights(home: Path) -> list[int]:
    """Ids of the processes that run a night."""
    return [pid for pid in left(home) if b"served_process" in command_of(pid)]


def engines(home: Path) -> list[int]:
    return [pid for pid in left(home) if b"engine_process" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_six_jobs_a_kill_and_a_downtime(serve, small_models, tmp_path):
    files = [write_job(tmp_path, name, small_models["sentiment"]) for name in NAMES]
    serving = serve(*files, *EVERY_MINUTE)
    url, auth = serving.line(READY).groups()

    # A run that is killed is told, is no longer Running, and keeps no later one from starting.
    os.kill(serving.wait_for(lambda: nights(tmp_path / "home"))[0], signal.SIGKILL)
    name = serving.line(r"(\w): the run was killed \(signal 9\)").group(1)
    serving.wait_for(lambda: runs_of(url, auth, name, "CRASHED"))

    # All six that are due in one minute run, the killed one a minute later.
    layouts = [layout_of(tmp_path / "out", one) for one in NAMES]
    serving.wait_for(lambda: all(one.results.exists() for one in layouts), 600)
    assert "waits: 2 runs go on" in serving.said

    # kill -9 in the middle of a night leaves no process.
    serving.wait_for(lambda: nights(tmp_path / "home"))
    serving.kill()
    assert nothing_left(tmp_path / "home", 5)
    before = {one.root.name: len(list(one.runs.iterdir())) for one in layouts}
    told = len(serving.said)

    # Three nights pass unserved; one of them is run for each job, and no more.
    time.sleep(185)
    again = serve(*files, *EVERY_MINUTE[:1], hour_before(), "--catch-up")
    again.wait_for(lambda: again.said[told:].count(": published snapshot") == len(NAMES), 600)
    url, auth = again.wait_for(lambda: re.search(READY, again.said[told:])).groups()
    for one in NAMES:
        again.wait_for(lambda one=one: not runs_of(url, auth, one, "RUNNING", "PENDING"))
    assert again.said[told:].count("was missed; it is run now") == len(NAMES)
    after = {one.root.name: len(list(one.runs.iterdir())) for one in layouts}
    assert all(after[one] - before[one] <= 1 for one in NAMES), (before, after)
    assert again.end() == 143


def hour_before() -> str:
    """Cron fields of the minute two minutes ago (UTC), on every hour."""
    return f"{time.gmtime(time.time() - 120).tm_min} * * * *"


def test_a_night_that_has_to_wait_runs_when_the_folder_is_free(serve, small_models, tmp_path):
    job = write_job(tmp_path, "prensa", small_models["sentiment"])
    layout = layout_of(tmp_path / "out", "prensa")
    layout.root.mkdir(parents=True)
    with hold_lock(layout, "20260101T020000-0badcafe"):
        serving = serve(job, *EVERY_MINUTE, "--overlap", "wait")
        serving.line("prensa: due, and waits for the night before to end", 300)
        serving.line("prensa: the night of .* is not started: the night of .* still waits", 300)
        assert "published" not in serving.said
    serving.line("prensa: published snapshot 1, ", 240)
    serving.line("prensa: published snapshot 2, ", 240)
    assert serving.end() == 143


def test_nights_go_on_without_the_engine_which_is_started_again(serve, small_models, tmp_path):
    serving = serve(write_job(tmp_path, "prensa", small_models["sentiment"]), *EVERY_MINUTE)
    serving.line(READY)
    serving.line("prensa: published snapshot 1, ", 240)
    (engine,) = engines(tmp_path / "home")
    os.kill(engine, signal.SIGKILL)
    serving.line("the engine died .*; nights go on all the same")
    serving.line("prensa: published snapshot 2, ", 240)
    serving.line("nocturna: the engine is back", 240)
    url, auth = re.findall(READY, serving.said)[-1]
    serving.line("prensa: published snapshot 3, ", 240)
    serving.wait_for(lambda: len(runs_of(url, auth, "prensa", "COMPLETED")) >= 2)
    assert serving.end() == 143
