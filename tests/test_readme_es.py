"""README.es.md says what README.md says: what is run and shown there is true here too."""

import re
from collections import Counter

import pytest

from tests.test_readme import README, ROOT

SPANISH = (ROOT / "README.es.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]+`")


def without_words(text: str) -> list[tuple[str, list[str]]]:
    """The fenced blocks as they are run: comments and the right column of a tree are words."""
    found = []
    for language, block in FENCED.findall(text):
        words = r"(^|(?<=  ))# .*" if language else r"(?<=\S) {2,}\S.*"
        cut = language or " -> " in block
        lines = [re.sub(words, "", line) if cut else line for line in block.splitlines()]
        found.append((language, [line.rstrip() for line in lines if line.strip()]))
    return found


def prose(text: str) -> str:
    return FENCED.sub("", text)


def figures(text: str) -> Counter[str]:
    """The numbers in a text, however their thousands and decimals are written."""
    found = re.findall(r"\d(?:[.,]?\d)*", SPAN.sub("", re.sub(r"\(docs/[^)]*\)", "", prose(text))))
    return Counter(re.sub("[.,]", "", number) for number in found)


PARTS = {
    "blocks": without_words,
    "words of the program": lambda text: Counter(SPAN.findall(prose(text))),
    "links": lambda text: Counter(re.findall(r"\]\((?!#|README)([^)]+)\)", text)),
    "pictures": lambda text: re.findall(r'(?:src|srcset|media|width)="[^"]+"', text),
    "headings": lambda text: re.findall(r"^#+", prose(text), re.MULTILINE),
    "rows of tables": lambda text: [row.count("|") for row in re.findall(r"^\|.*$", text, re.M)],
    "paragraphs": lambda text: len(re.findall(r"^(?![#|*`<]|- ).{20,}$", prose(text), re.M)),
    "points": lambda text: len(re.findall(r"^- ", text, re.MULTILINE)),
    "figures": figures,
}


@pytest.mark.parametrize("part", PARTS)
def test_both_have_the_same(part):
    spanish, english = PARTS[part](SPANISH), PARTS[part](README)
    assert english and spanish == english


def test_each_names_the_other_and_its_own_headings():
    assert "[English](README.md)" in SPANISH and "[Español](README.es.md)" in README
    for text in (SPANISH, README):
        titles = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


@pytest.mark.parametrize(
    ("english", "spanish"),
    [("354 rows", "355 filas"), ("`--full`", "`--todo`"), ("- a\n", ""), ("## A\n", "### A\n")],
)
def test_what_differs_is_found(english, spanish):
    assert any(part(english) != part(spanish) for part in PARTS.values())
