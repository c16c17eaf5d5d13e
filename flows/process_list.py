"""What other users of the machine see of this process: its arguments."""

import ctypes
import os
import sys
from pathlib import Path

from nocturna.tasks.addresses import without_secrets

_START, _END = 45, 46
"""Where `/proc/self/stat` says where the arguments are, counted from behind the name."""


def hide_addresses() -> None:
    """Overwrites addresses with secrets among the arguments, as `ps` shows them; on Linux only.

    The process list would show them to everybody for as long as the run takes.
    """
    secret = [os.fsencode(given) for given in sys.argv if without_secrets(given) != given]
    if not secret:
        return
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        start, end = int(fields[_START]), int(fields[_END])
    except (OSError, IndexError, ValueError):
        return
    if not 0 < start < end:
        return
    memory = (ctypes.c_char * (end - start)).from_address(start)
    shown = memory.raw
    for given in secret:
        hidden = os.fsencode(without_secrets(os.fsdecode(given)))
        shown = shown.replace(given, hidden.ljust(len(given)))
    memory.raw = shown
