"""The page on which a person labels documents: one file, no network but the command that serves it.

The texts and labels come as JSON and are put in as texts, so nothing in them is ever code.
"""

from pathlib import Path

from nocturna.tasks.visible import visible

_TEMPLATE = Path(__file__).with_name("gold_page.html")
_STYLE = Path(__file__).with_name("report_page.css")


def labelling_page(score: str, file: str, nonce: str) -> str:
    """The page, with the look of a report.

    Args:
        score: whose labels are given.
        file: name of the file that holds them.
        nonce: that the page's own script and style are known by.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        title=f"{visible(score)}: labels",
        score=visible(score),
        file=visible(file),
        nonce=nonce,
        style=Markup(_STYLE.read_text("utf-8")),
    )
