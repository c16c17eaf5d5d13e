"""The one Rich console of the command: what it is given is shown as it is, never as markup."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from flows.guard import behind_guard
from tasks.visible import visible, visible_lines


class _PlainConsole(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        """Every text that Rich is given as such: cells, titles, lines."""
        plain = {**options, "markup": False, "emoji": False, "highlight": False}
        return super().render_str(visible(text), **plain)

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
    """A console for a person: brackets, colons and control characters of users are only text."""
    stream = behind_guard(sys.stderr if stderr else sys.stdout)
    return _PlainConsole(file=stream, stderr=stderr, markup=False, emoji=False, highlight=False)
