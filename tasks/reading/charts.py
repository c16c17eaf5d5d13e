"""Small charts for a page without scripts: they take the page's colours and any width.

A bar is a box of CSS and a line is an SVG of a few hundred bytes, so the page stays light, starts
nothing and prints in black and white; the numbers stand beside each as text. Vega alone is 800 kB
of script, Plotly five times that, and neither says its numbers to a screen reader.
"""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 160.0, 28.0
"""Of a line, in units of its own; the page stretches it."""


def bar(share: float, low: float | None = None, high: float | None = None) -> Markup:
    """A share of 0 to 1 as a bar, with its interval as a whisker.

    >>> bar(0.5)
    Markup('<span class="bar" aria-hidden="true"><i style="width:50.0%"></i></span>')
    """
    inside = Markup('<i style="width:{}%"></i>').format(_percent(share))
    if low is not None and high is not None:
        inside += Markup('<b style="left:{}%;width:{}%"></b>').format(
            _percent(low), _percent(max(high - low, 0))
        )
    return Markup('<span class="bar" aria-hidden="true">{}</span>').format(inside)


def line(values: Sequence[float | None], said: str) -> Markup:
    """Values as a line over an area from 0; one that is missing breaks it.

    Args:
        said: what a screen reader says in its place.
    """
    known = [value for value in values if value is not None]
    top = max(known, default=0.0) or 1.0
    step = WIDTH / max(len(values) - 1, 1)
    points = [
        None if value is None else (round(at * step, 1), round(_height(value / top), 1))
        for at, value in enumerate(values)
    ]
    shapes = Markup("").join(_shape(run) for run in _runs(points))
    return Markup(
        '<svg class="line" role="img" aria-label="{}" viewBox="-3 0 {} {}" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(said, WIDTH + 6, HEIGHT, shapes)


def shade(share: float) -> str:
    """How dark a cell of a table is, in percent of the page's colour; its text stays readable.

    >>> shade(0.0), shade(1.0)
    ('0', '55')
    """
    return f"{max(0.0, min(share, 1.0)) * 55:.0f}"


def _percent(share: float) -> str:
    return f"{max(0.0, min(share, 1.0)) * 100:.1f}"


def _height(share: float) -> float:
    return HEIGHT - 3 - share * (HEIGHT - 6)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Neighbours that are known, together."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _shape(run: list[tuple[float, float]]) -> Markup:
    if len(run) == 1:
        run = [(run[0][0] - 2, run[0][1]), (run[0][0] + 2, run[0][1])]
    path = " ".join(f"{x},{y}" for x, y in run)
    area = f"{run[0][0]},{HEIGHT} {path} {run[-1][0]},{HEIGHT}"
    return Markup('<polygon points="{}"/><polyline points="{}"/>').format(area, path)
