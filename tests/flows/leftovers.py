"""Processes that something left behind, told by the engine home in their environment."""

import time
from pathlib import Path


def left(home: Path) -> list[int]:
    """Ids of the processes whose environment names this engine home."""
    mark = f"PREFECT_HOME={home}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def nothing_left(home: Path, seconds: float = 5.0) -> bool:
    """Whether no process of this engine home is left after so many seconds at most."""
    until = time.monotonic() + seconds
    while left(home):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
