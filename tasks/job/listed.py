"""Lists as people write them: labels, kept columns, names of checks.

One text may be typed on a command line, copied from a Python or JSON list, or from a column of a
spreadsheet. It is split in the one way that makes sense, or refused in a line that says how it
would be understood; a list that was meant is never taken for one long entry.
"""

import json
import re
from ast import literal_eval
from typing import Annotated, Any

from pydantic import BeforeValidator

from nocturna.tasks.visible import visible

COMMAS, SEMICOLONS, LINES = ",，、،", ";；؛", "\n\r\t\v\f\u2028\u2029"
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_BULLETS = ("- ", "* ", "• ")
_LIST_IN_LIST = re.compile(r"[\[{]\s*['\"]")
_SEQUENCE = re.compile(
    "(?:\x1b\\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
)
"""A terminal's escape sequence in a scraped text; a semicolon in it separates nothing."""

_MOST_SHOWN = 100


def split_list(text: str) -> list[str]:
    r"""The entries of one text.

    Commas, semicolons and line ends separate; quotes and brackets hold together what they enclose.

    >>> split_list("política, economía ,cultura,")
    ['política', 'economía', 'cultura']
    >>> split_list("a;b\n"), split_list("a,\nb"), split_list("- a\n- b")
    (['a', 'b'], ['a', 'b'], ['a', 'b'])
    >>> split_list('["pol\\u00edtica", "economía, finanzas"]'), split_list("['a', 'b']")
    (['política', 'economía, finanzas'], ['a', 'b'])
    >>> split_list('"economía, finanzas", tasas (pib, paro), "un ""no"" claro"')
    ['economía, finanzas', 'tasas (pib, paro)', 'un "no" claro']
    >>> split_list("[red]alerta,[/b]fin"), split_list("[link=x]a,b [bold]")
    (['[red]alerta', '[/b]fin'], ['[link=x]a', 'b [bold]'])
    >>> split_list("a,,b")
    Traceback (most recent call last):
    ValueError: 'a,,b' has an empty entry: it would be understood as 'a', '', 'b'

    Raises:
        ValueError: one line, if it can be understood in two ways or in none.
    """
    inner, copied = _without_brackets(text.strip())
    entries: list[str] = []
    ends: list[str] = [""]
    at = 0
    while True:
        entry, at = _entry(text, inner, at, copied)
        entries.append(entry)
        ends.append(inner[at] if at < len(inner) else "")
        if at >= len(inner):
            break
        at += 1
    if any(e in COMMAS for e in ends[1:-1]) and any(e in SEMICOLONS for e in ends[1:-1]):
        raise ValueError(
            f"{_shown(text)} holds both , and ;: separate with one of them, and put an entry that "
            "holds the other in quotes"
        )
    between = zip(ends, entries, ends[1:], strict=False)
    found = [e for before, e, after in between if e or not _at_an_edge(before, after)]
    if "" in found:
        raise ValueError(
            f"{_shown(text)} has an empty entry: it would be understood as {shown_list(found)}"
        )
    if len(found) > 1 and all(entry.startswith(_BULLETS) for entry in found):
        return [entry[2:].strip() for entry in found]
    return found


def listed(value: Any) -> Any:
    """A list of texts, from a list or from one text; for a field of a job, before it is checked.

    Raises:
        ValueError: naming an entry that is no text, and how YAML came to read it so.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return split_list(value)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{_shown_value(value)}; write a list of texts: [a, b]")
    for entry in value:
        if not isinstance(entry, str):
            raise ValueError(f"{_shown_value(entry)}; put it in quotes if it is meant as a text")
        if not entry.strip():
            raise ValueError(f"an entry of {shown_list(value)} is empty")
    return value


Texts = Annotated[tuple[str, ...], BeforeValidator(listed)]
"""A field that is a list of texts, however it is written."""


def shown_list(entries: Any) -> str:
    """Entries as they were understood, for an error line."""
    return _cut(", ".join(map(repr, entries)))


def _without_brackets(text: str) -> tuple[str, bool]:
    """What is inside of one pair of brackets around it all, and whether there is one."""
    if text[:1] not in _BRACKETS or not text[:1]:
        return text, False
    end = _closing(text, 0)
    inner = text[1:-1].strip()
    if end == len(text) - 1 and (not inner or inner[0] in _QUOTES or _separates(inner)):
        return inner, True
    if end is None and text[1:].lstrip()[:1] in _QUOTES:
        raise ValueError(f"{_shown(text)} begins as a list and does not end as one")
    return text, False


def _separates(text: str) -> bool:
    at = 0
    while at < len(text):
        if text[at] in COMMAS + SEMICOLONS + LINES:
            return True
        at = _behind(text, at)
    return False


def _entry(text: str, inner: str, at: int, copied: bool) -> tuple[str, int]:
    """The entry that begins at a position, and where the separator behind it is."""
    while at < len(inner) and inner[at].isspace() and inner[at] not in LINES:
        at += 1
    if at < len(inner) and inner[at] in _QUOTES:
        return _quoted(text, inner, at, copied)
    start = at
    while at < len(inner) and inner[at] not in COMMAS + SEMICOLONS + LINES:
        at = _behind(inner, at)
    entry = inner[start:at].strip()
    if _LIST_IN_LIST.search(entry):
        raise ValueError(f"{_shown(text)}: {_shown(entry)} is a list in a list, or a piece of one")
    return entry, min(at, len(inner))


def _quoted(text: str, inner: str, start: int, copied: bool) -> tuple[str, int]:
    mark = _QUOTES[inner[start]]
    at = start + 1
    while at < len(inner) and (inner[at] != mark or inner[at + 1 : at + 2] == mark):
        escaped = (copied and inner[at] == "\\") or inner[at] == mark
        at += 2 if escaped else 1
    if at >= len(inner):
        raise ValueError(
            f"{_shown(text)}: the quote {inner[start]} before {_shown(inner[start + 1 :])} is not "
            "closed; an entry that begins with a quote needs another kind around it"
        )
    entry = _unescaped(inner[start : at + 1], copied)
    at += 1
    while at < len(inner) and inner[at].isspace() and inner[at] not in LINES:
        at += 1
    if at < len(inner) and inner[at] not in COMMAS + SEMICOLONS + LINES:
        raise ValueError(
            f"{_shown(text)}: after the quoted {entry!r} a separator is missing; an entry that "
            'holds quotes is written "with ""two"" of them"'
        )
    return entry, at


def _unescaped(quoted: str, copied: bool) -> str:
    """The text in quotes; with the escapes of JSON or Python where it was copied from a list."""
    mark = _QUOTES[quoted[0]]
    if copied and "\\" in quoted and mark in "'\"":
        try:
            return str(json.loads(quoted) if mark == '"' else literal_eval(quoted))
        except (ValueError, SyntaxError):
            raise ValueError(f"{_shown(quoted)}: its escapes cannot be read") from None
    return quoted[1:-1].replace(mark * 2, mark)


def _behind(text: str, at: int) -> int:
    """Where to read on: behind a character, or behind what a bracket or sequence holds together."""
    sequence = _SEQUENCE.match(text, at)
    return sequence.end() if sequence else (_closing(text, at) or at) + 1


def _closing(text: str, at: int) -> int | None:
    """Where the bracket at a position is closed; None if there is no bracket, or it stays open."""
    if text[at] not in _BRACKETS:
        return None
    expected: list[str] = []
    for position in range(at, len(text)):
        if text[position] in _BRACKETS:
            expected.append(_BRACKETS[text[position]])
        elif text[position] == expected[-1]:
            expected.pop()
            if not expected:
                return position
    return None


def _at_an_edge(before: str, after: str) -> bool:
    return not before or not after or before in LINES or after in LINES


def _shown_value(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()} is no text: YAML reads yes, no, on and off so"
    if value is None:
        return "null is no text"
    if isinstance(value, dict):
        return f"{_cut(visible(str(value)))} is a mapping: YAML reads a text with a colon so"
    kind = {list: "list", int: "number", float: "number"}.get(type(value), type(value).__name__)
    return f"{_cut(visible(str(value)))} is a {kind}, no text"


def _shown(text: str) -> str:
    return _cut(repr(text))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def inline_mapping(text: str) -> dict[str, Any] | None:
    """A mapping typed in one line, as in `{template: "Trata de {}."}`; None where it is none."""
    import yaml

    from nocturna.tasks.job.yaml_text import parsed_yaml

    try:
        found = parsed_yaml(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) else None
