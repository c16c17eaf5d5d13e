"""Standard output and error of the command: nothing passes that a terminal would obey.

Everything that Python prints goes through here: our lines, tracebacks, warnings of libraries, what
a parser says of an option. Only `nocturna.console`, which has done the same to each text before it
adds its own colours, writes behind it.
"""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from nocturna.tasks.visible import visible_lines


class GuardedStream:
    """A text stream that makes control characters visible; line ends stay.

    It says that it is no terminal, so that nobody sends colours through it.
    """

    def __init__(self, behind: TextIO) -> None:
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


def guard_output() -> None:
    """Puts the guard in front of both streams of this process, once.

    A character that the terminal's encoding lacks is written as an escape too.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or hasattr(stream, "behind"):
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, GuardedStream(stream))


def behind_guard(stream: TextIO) -> TextIO:
    """The stream itself, for who has made everything visible that passes."""
    return getattr(stream, "behind", stream)
