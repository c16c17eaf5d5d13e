"""The command in a real pseudo-terminal, which sends signals to the whole foreground group."""

import os
import pty
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CTRL_C = b"\x03"


@dataclass
class Terminal:
    """A command that runs in a terminal of its own.

    Attributes:
        said: what it has written so far.
        code: its exit code once it has ended.
    """

    pid: int
    device: int
    said: bytes = b""
    code: int | None = field(default=None)

    def until(self, done: Callable[[], object], seconds: float) -> bool:
        """Reads what it says until something is so or it ends; whether it was so in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.code is None:
            if done():
                return True
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read(0.2):
                    pass
                self.code = os.waitstatus_to_exitcode(status)
        return bool(done())

    def _read(self, seconds: float) -> bool:
        if not select.select([self.device], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self.device, 65536)
        except OSError:  # everybody who could write has gone
            return False
        self.said += read
        return bool(read)

    def press(self, keys: bytes) -> None:
        """Types keys."""
        os.write(self.device, keys)

    def ended(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        return self.until(lambda: False, seconds) or self.code is not None

    @property
    def lines(self) -> list[str]:
        return [line for line in self.said.decode(errors="replace").splitlines() if line.strip()]


def in_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> Terminal:
    """Starts a command as the foreground group of a new terminal."""
    pid, device = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(command[0], command, environment)
    return Terminal(pid, device)
