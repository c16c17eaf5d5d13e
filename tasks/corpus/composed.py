"""Texts and ids that are made of several columns of a row, as in `{titulo}. {cuerpo}`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.row_ids import read_id
from nocturna.tasks.job.source import Source

_PERCENT = re.compile("%(?=2F|25)")
_COLUMN = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Composed:
    """What is made of columns.

    Attributes:
        columns: in their order.
        before: what stands before each of them; before all but the first only where another one
            stands before it.
        after: what stands at the end.
        whole: whether it is null where one of the columns is, as an id; otherwise only where all
            are.
    """

    columns: tuple[str, ...]
    before: tuple[str, ...]
    after: str
    whole: bool

    def of(self, values: Sequence[Any]) -> Any:
        """The text of a row, given the value of each column; MISSING where it has none of them.

        It is the value itself of a column that a text or an id could not be alone: a list, say.
        """
        given = [(_id_part if self.whole else _text_part)(value) for value in values]
        if odd := [one for one in given if not (one is None or isinstance(one, str))]:
            return odd[0]
        there = list(map(bool, given))
        if not (all(there) if self.whole else any(there)):
            return MISSING if all(value is MISSING for value in values) else None
        out = self.before[0]
        for at, value in enumerate(given):
            if there[at]:
                out += self.before[at] if at and any(there[:at]) else ""
                last = at == len(given) - 1 or not self.whole or self.before[at + 1] != "/"
                out += value if last else _escaped(value)
        return out + self.after


def composed_of(template: str | None, whole: bool = False) -> Composed | None:
    """What a template makes; None of the name of one column.

    >>> composed_of("{titulo}. {cuerpo}").of(["Uno", "Dos"])
    'Uno. Dos'
    >>> composed_of("{titulo}. {cuerpo}").of([None, "Dos"])
    'Dos'
    >>> composed_of("cuerpo") is None
    True
    """
    parts = _COLUMN.split(template or "")
    if len(parts) < 2:
        return None
    return Composed(tuple(parts[1::2]), tuple(parts[0:-1:2]), parts[-1], whole)


def reading_of(source: Source) -> Source:
    """A source that names each column that is read, where texts or ids are made of several."""
    made = {"text": composed_of(source.text), "id": composed_of(source.id, whole=True)}
    parts = {role: one.columns for role, one in made.items() if one}
    if not parts:
        return source
    more = [column for columns in parts.values() for column in columns]
    return source.read_as(parts, tuple(dict.fromkeys([*source.keep, *more])))


def reading_with(keep: Iterable[str], source: Source) -> Source:
    """As `reading_of`, with other kept columns."""
    return reading_of(source.model_copy(update={"keep": tuple(keep)}))


def made_of(made: Composed | None, plain: Any, row: Mapping[str, Any]) -> Any:
    """A value of a row: the plain one, or what is made of others."""
    return plain if made is None else made.of([row.get(column) for column in made.columns])


def _text_part(value: Any) -> Any:
    """A part of a text; None where there is none, and the value where it is no text or number."""
    return None if value is MISSING else str(value) if isinstance(value, str) else value


def _id_part(value: Any) -> Any:
    """A part of an id, as an id that is it alone; None where it is missing."""
    name, problem = read_id(value)
    return value if problem and problem[0] != "missing_id" else name


def _escaped(text: str) -> str:
    """A part of an id before a slash: slashes in it are told from those between the parts."""
    return _PERCENT.sub("%25", text).replace("/", "%2F") if "/" in text or "%" in text else text
