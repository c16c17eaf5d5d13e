"""The report of a night as one page: no script, no network, any screen, any reader."""

from functools import cache
from pathlib import Path
from typing import Any

from nocturna.tasks.reading import charts
from nocturna.tasks.visible import visible

_TEMPLATE = Path(__file__).with_name("report_page.html")
_STYLE = Path(__file__).with_name("report_page.css")


def report_page(figures: dict[str, Any]) -> str:
    """The page of a report's figures, in HTML that needs nothing beside it."""
    return _template().render(**figures)


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda v: visible(v) if isinstance(v, str) and not isinstance(v, Markup) else v,
    )
    environment.filters.update(percent=percent, points=points, count=count, short=short)
    environment.globals.update(bar=charts.bar, line=charts.line, shade=charts.shade)
    environment.globals.update(style=Markup(_STYLE.read_text("utf-8")))
    return environment.from_string(_TEMPLATE.read_text("utf-8"))


def percent(share: float | None) -> str:
    r"""A share of 0 to 1 for a person; the space does not break.

    >>> percent(0.1234), percent(0), percent(0.0001), percent(None)
    ('12.3\xa0%', '0\xa0%', '0.01\xa0%', '')
    """
    if share is None:
        return ""
    if 0 < share < 0.0005:
        return f"{share * 100:.2g}\N{NO-BREAK SPACE}%"
    return f"{share * 100:.1f}\N{NO-BREAK SPACE}%" if share else "0\N{NO-BREAK SPACE}%"


def points(change: float) -> str:
    """A change of a share in points of a percent.

    >>> points(-0.0123), points(0.00001)
    ('−1.2', '0.0')
    """
    found = f"{change * 100:+.1f}"
    return "0.0" if found in ("+0.0", "-0.0") else found.replace("-", "−")


def count(number: float | None) -> str:
    """A whole number with marks for thousands, others with as many digits as they need.

    >>> count(12345), count(2.5), count(None)
    ('12,345', '2.5', '')
    """
    if number is None:
        return ""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.4g}"


def short(revision: str | None) -> str:
    """The start of a long revision.

    >>> short("sha256:8161a651a07311ebe6bf")
    'sha256:8161a651a073'
    """
    head, colon, rest = (revision or "").rpartition(":")
    return f"{head}{colon}{rest[:12]}"
