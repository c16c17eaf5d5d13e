import fcntl
import os

import pytest

from nocturna.tasks.errors import RunLocked
from nocturna.tasks.results import lock
from nocturna.tasks.results.lock import hold_lock, holder_of
from tests.results.holders import holding

HOLD = """
import sys
from pathlib import Path
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results import lock
from nocturna.tasks.results.lock import hold_lock
with hold_lock(Layout(Path(sys.argv[1])), "run-of-the-night"):
    print("held", flush=True)
    sys.stdin.read()
"""


def other_run(layout):
    """Another process that holds the lock until its input is closed or it is killed."""
    return holding(HOLD, str(layout.root))


def test_a_second_run_is_refused_and_told_who_holds_the_folder(layout):
    with other_run(layout) as process:
        with pytest.raises(RunLocked) as caught, hold_lock(layout, "second"):
            pass
        message = str(caught.value)
        holder = holder_of(layout)
    assert caught.value.exit_code == 75
    assert f"run run-of-the-night holds this folder since {holder.since}" in message
    assert f"process {process.pid} on {os.uname().nodename}" in message
    assert (holder.pid, holder.run_id) == (process.pid, "run-of-the-night")


def test_a_killed_run_frees_the_lock(layout):
    with other_run(layout) as process:
        process.kill()
        process.wait()
        assert holder_of(layout) is None
        with hold_lock(layout, "second"):
            assert holder_of(layout).run_id == "second"


def test_a_run_that_ends_frees_the_lock_also_after_an_error(layout):
    with pytest.raises(ZeroDivisionError), hold_lock(layout, "first"):
        raise ZeroDivisionError
    assert holder_of(layout) is None
    with other_run(layout):
        assert holder_of(layout).run_id == "run-of-the-night"


def test_a_run_that_goes_on_is_named_by_its_own_id(layout):
    with hold_lock(layout, "new") as hold_as:
        before = holder_of(layout)
        hold_as("stopped-yesterday")
        after = holder_of(layout)
    assert (before.run_id, after.run_id) == ("new", "stopped-yesterday")
    assert after.since == before.since


def test_a_folder_that_was_never_used_has_no_holder(layout):
    assert holder_of(layout) is None
    assert not layout.root.exists()


def test_looking_does_not_stop_a_run_from_starting(layout, monkeypatch):
    """Looking takes the lock for an instant; a run that starts just then must not be refused."""
    layout.root.mkdir(parents=True)
    looking = layout.lock.open("w")
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: looking.close())
    with hold_lock(layout, "first"):
        assert looking.closed


def test_a_run_that_ends_leaves_no_name_behind(layout):
    with hold_lock(layout, "first"):
        assert "first" in layout.lock.read_text()
    assert layout.lock.read_text() == ""
