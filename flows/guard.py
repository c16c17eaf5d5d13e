"""Standard output and error of the command: nothing passes that a terminal would obey.

Everything that Python prints goes through here: our lines, tracebacks, warnings of libraries, what
a parser says of an option. Only `nocturna.console`, which has done the same to each text before it
adds its own colours, writes behind it.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from nocturna.tasks.visible import visible_lines


class GuardedStream:
    """A text stream that makes control characters visible; line ends stay.

    It says that it is no terminal, so that nobody sends colours through it.
    """

    def __init__(self, behind: "TextIO | Unheard") -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        self.behind.write(visible_lines(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


class Unheard:
    """A text stream of lines for whoever watches: nobody may be watching any more.

    A terminal that is gone, a reader that has ended and a disk that is full cost the line.
    """

    def __init__(self, behind: TextIO) -> None:
        self._stream = behind

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_streams() -> None:
    """Opens nothing in place of standard streams that are closed, before a file gets their number.

    Whatever is opened first would else be written to as standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def guard_output() -> None:
    """Puts the guard in front of both streams of this process, once.

    A character that the terminal's encoding lacks is written as an escape too.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "behind"):
            continue
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, GuardedStream(Unheard(stream) if name == "stderr" else stream))


def behind_guard(stream: TextIO) -> TextIO:
    """The stream itself, for who has made everything visible that passes."""
    return getattr(stream, "behind", stream)
