"""A night that is due, and the process that runs it: started, listened to, stopped."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from nocturna.tasks.job.job import Job
from nocturna.tasks.results.layout import layout_of

KEY = "nocturna's clock: "


@dataclass(frozen=True)
class Due:
    """A run of a job that is to start.

    Attributes:
        date: when it is or was due; aware, in UTC.
        flow_run: under which the engine knows it; None where the engine could not be told yet.
        asked: whether a person asked for it in the engine's page, rather than the clock.
        caught_up: whether it was missed, and is run for all that.
    """

    job: Job
    date: datetime
    flow_run: UUID | None = None
    asked: bool = False
    caught_up: bool = False

    @property
    def key(self) -> str:
        """Names the night towards the engine: telling it twice makes one run of it.

        Another clock may serve a job of that name in another folder, and share the engine.
        """
        again = ", caught up" if self.caught_up else ""
        place = layout_of(self.job.output.dir, self.job.name).place
        return f"{KEY}{place} {self.date:%Y-%m-%dT%H:%MZ}{again}"


@dataclass(frozen=True)
class Night:
    """A run that goes on in a process of its own, in a session of its own."""

    due: Due
    process: subprocess.Popen[bytes]
    listener: threading.Thread

    def stop(self) -> None:
        """Asks it to stop after the batch in hand."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int | None:
        """Its exit code once it has ended and all that it said was heard; None before."""
        code = self.process.poll()
        if code is None:
            return None
        self._end_group()
        self.listener.join(5)
        return code

    def kill(self) -> int:
        """Ends it and all that it started, at once, and gives its exit code."""
        self._end_group()
        return self.process.wait()

    def _end_group(self) -> None:
        assert self.process.stdin is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(OSError):
            self.process.stdin.close()


def start_night(
    due: Due,
    overlap: Literal["refuse", "wait"],
    environment: Mapping[str, str],
    hear: Callable[[str], None],
    woken: Callable[[], None],
) -> Night:
    """Starts the process of a night.

    What it is to do goes through its standard input, which stays open as long as this process
    lives: its end is the end of the night.

    Args:
        overlap: whether it waits for another run that holds the job's folder.
        environment: where the engine is, added to this process's own environment.
        hear: receives each line that it says.
        woken: called when it has said its last line.

    Raises:
        OSError: no process could be started.
    """
    process = subprocess.Popen(
        # -P: nothing of the folder that the user stands in is imported.
        [sys.executable, "-P", "-m", f"{__package__}.served_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    asked = {
        "job": due.job.model_dump(mode="json"),
        "flow_run": str(due.flow_run) if due.flow_run else None,
        "date": due.date.isoformat(),
        "key": due.key,
        "wait": overlap == "wait",
    }
    listener = threading.Thread(target=_listen, args=[process, hear, woken], daemon=True)
    night = Night(due, process, listener)
    listener.start()
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it ended already: `ended` says how
    return night


def _listen(
    process: subprocess.Popen[bytes], hear: Callable[[str], None], woken: Callable[[], None]
) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            hear(line.decode("utf-8", "backslashreplace").rstrip())
    while process.poll() is None:
        time.sleep(0.05)
    woken()
