"""What `nocturna serve` says, kept in a log file for its owner only and of bounded size."""

import logging
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

MOST_BYTES = 5_000_000
"""Of one log file; KEPT_FILES older ones are kept beside it."""

KEPT_FILES = 3


class Journal:
    """The lines of `nocturna serve`: on standard error, and with their time in the log file."""

    def __init__(self, path: Path) -> None:
        """Opens the log file, with its folder.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._kept = _OwnersFile(path, maxBytes=MOST_BYTES, backupCount=KEPT_FILES)
        form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._kept.setFormatter(form)

    def say(self, line: str, keep: bool = True) -> None:
        """One line for whoever watches, and for the log file; nobody may be watching any more.

        Args:
            keep: whether it is written down.
        """
        sys.stderr.write(f"{line}\n")  # the guard lets a line go that nobody hears
        sys.stderr.flush()
        if keep:
            self.note(line)

    def note(self, line: str) -> None:
        """One line for the log file alone; a disk that is full costs the line, nothing else."""
        self._kept.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Closes the log file."""
        self._kept.close()


class _OwnersFile(RotatingFileHandler):
    """A log file that only its owner can read; a new one begins when it is full."""

    def _open(self) -> "TextIOWrapper[Any]":
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(opened, 0o600)
        return os.fdopen(opened, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class Copied:
    """A file that another process appends to, copied line by line and kept short."""

    def __init__(self, path: Path, note: Callable[[str], None]) -> None:
        self._path, self._note = path, note
        self._at = path.stat().st_size if path.exists() else 0

    def copy(self) -> None:
        """Copies what came since the last time; a file that was read and has grown is emptied."""
        try:
            with self._path.open("rb") as file:
                if self._at > os.fstat(file.fileno()).st_size:
                    self._at = 0
                file.seek(self._at)
                found = file.read()
        except OSError:
            return
        whole = found[: found.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode("utf-8", "backslashreplace").splitlines():
            self._note(f"engine: {line}")
        if self._at > MOST_BYTES and whole == found:
            os.truncate(self._path, 0)
            self._at = 0
