"""Column names made from labels."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

RESERVED_SLUGS = frozenset({"score", "scores", "labels", "config", "status"})
"""What follows the name of a score in columns that are not labels."""

_SIGNS = {
    "+": "plus",
    "-": "minus",
    "\N{MINUS SIGN}": "minus",
    "\N{EN DASH}": "minus",
    "#": "sharp",
    "*": "star",
    "%": "percent",
    "&": "and",
    "<": "less",
    ">": "greater",
    "=": "equals",
    "!": "exclamation",
    "?": "question",
}
_TELLING = re.compile(r"(?<!\w)[-\u2212\u2013+](?=[\d.])|(?<=\w)(\++|#)(?!\w)|(?<=\+)\+")
"""Signs that make another label of the rest: -1 is not 1, C++ and C# are not C."""


def slug(label: str) -> str:
    """The column-name form of a label: lower case ASCII letters, digits and underscores.

    Signs that change what the rest means are spelled out, and so are all of a label of signs only.

    >>> slug("Computación e IA")
    'computacion_e_ia'
    >>> slug("-1"), slug("C++"), slug("+")
    ('minus_1', 'c_plus_plus', 'plus')
    """
    spelled = _TELLING.sub(lambda found: _spelled(found.group()), label)
    return _plain(spelled) or _plain(_spelled(label))


def column_names(labels: Iterable[str]) -> dict[str, str]:
    """A name for each label, distinct, whatever the order of the labels.

    Labels whose names would be the same, or are taken by a column that is no label, get their
    signs spelled out, and some digits of their own hash where that does not tell them apart.

    >>> column_names(["POS", "pos", "50", "50 %"])
    {'POS': 'pos_ae98ea', 'pos': 'pos_7160f8', '50': '50', '50 %': '50_percent'}
    """
    found = {label: slug(label) for label in labels}
    for better in (lambda label: _plain(_spelled(label)), _hashed):
        often = Counter(found.values())
        found = {
            label: better(label) if often[name] > 1 or _is_taken(name) else name
            for label, name in found.items()
        }
    return found


def _is_taken(name: str) -> bool:
    return not name or name in RESERVED_SLUGS


def _hashed(label: str) -> str:
    digits = hashlib.sha256(label.encode()).hexdigest()[:6]
    return f"{slug(label) or 'label'}_{digits}"


def _spelled(text: str) -> str:
    return "".join(
        sign
        if sign.isalnum() or sign.isspace() or sign == "_"
        else f" {_SIGNS.get(sign) or unicodedata.name(sign, 'sign').lower()} "
        for sign in text
    )


def _plain(label: str) -> str:
    letters = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")
