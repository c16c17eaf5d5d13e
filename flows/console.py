"""The one Rich console of the command: what it is given is shown as it is, never as markup."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from nocturna.guard import behind_guard
from nocturna.tasks.visible import visible, visible_lines

LONGEST_LINE = 1000
"""Of a table that goes to a file or to another program, in characters."""


class _PlainConsole(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        """Every text that Rich is given as such: cells, titles, lines."""
        plain = {**options, "markup": False, "emoji": False, "highlight": False}
        return super().render_str(visible(text), **plain)

    def on_broken_pipe(self) -> None:
        """Leaves it to the command what it means that nobody reads on; Rich would end it with 1."""
        raise BrokenPipeError

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever became of it, for what is not given as text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)


def person_console(stderr: bool = False) -> Console:
    """A console for a person: brackets, colons and control characters of users are only text.

    Where it is no terminal, a line of a table is as long as it needs to be.
    """
    stream = behind_guard(sys.stderr if stderr else sys.stdout)
    width = None if stream.isatty() or "COLUMNS" in os.environ else LONGEST_LINE
    return _PlainConsole(
        file=stream, stderr=stderr, width=width, markup=False, emoji=False, highlight=False
    )
