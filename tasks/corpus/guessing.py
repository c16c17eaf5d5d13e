"""Which column of a corpus is its text, its id, or worth keeping: guesses, each with its reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nocturna.tasks.corpus.profile import FEW, ColumnProfile, CorpusProfile

_ID = re.compile(r"(^|[_.\s-])(id|ids|uuid|guid|key|clave|codigo|código|code|url|uri)$", re.I)
_FREE_WORDS = 3.0
"""Words of a value, on average, from which on it is a text; fewer are a name or a label."""

_MOSTLY = 0.9


@dataclass(frozen=True)
class Guess:
    """A value for a key of a job's source, and why.

    Attributes:
        put_aside: rows that were looked at and that it keeps from being documents.
    """

    value: Any
    why: str
    put_aside: int = 0


def guess_text(found: CorpusProfile) -> Guess | None:
    """The longest free text; None where no column holds one."""
    there = [c for c in found.columns if _is_text(c)]
    free = [c for c in there if c.words >= _FREE_WORDS]
    if not there:
        return None
    best = max(free or there, key=lambda c: c.characters * c.filled)
    others = [c.name for c in free if c is not best and 2 * c.distinct > c.filled]
    why = (
        f"guessed: {'the longest free text' if free else 'no sentences, but the longest values'}, "
        f"{best.characters:,.0f} characters on average, at most "
        f"{best.longest:,}"
    )
    if best.filled < found.looked_at:
        why += f"; {found.looked_at - best.filled:,} of {found.looked_at:,} rows have none"
    if others:
        both = f"{{{others[0]}}}. {{{best.name}}}"
        why += f'; with another one in front of it: "{both}"'
    return Guess(best.name, why)


def guess_id(found: CorpusProfile, taken: Sequence[str]) -> Guess | None:
    """A column that tells documents apart: by its name, else the first that could; None if none.

    Args:
        taken: columns that are something else.
    """
    there = [c for c in found.columns if c.name not in taken and _is_short(c)]
    named = [c for c in there if _ID.search(c.name) and _tells_apart(c, found, _MOSTLY)]
    exact = [c for c in named if c.name.lower() == "id"]
    unnamed = [c for c in there if _tells_apart(c, found, 1.0) and not _is_measure(c)]
    for best in [*exact, *named, *unnamed]:
        again = best.filled - best.distinct
        lacking = found.looked_at - found.rejected - best.filled
        why = "guessed: no two rows that were looked at share one"
        if again or lacking:
            why = f"guessed by its name; rows put aside: {again:,} that repeat another one's, "
            why += f"{lacking:,} without one"
        return Guess(best.name, why, again + lacking)
    return None


def guess_kept(found: CorpusProfile, taken: Sequence[str]) -> Guess:
    """Columns that a report can tell scores apart by: dates, and those of few values."""
    rest = [c for c in found.columns if c.name not in taken]
    dates = [c for c in rest if _is_date(c)]
    few = [c for c in rest if c not in dates and 2 <= c.distinct <= FEW and _is_filled(c, found)]
    why = [f"{c.name}: dates" for c in dates]
    why += [f"{c.name}: {', '.join(v[:20] for v in c.values)}" for c in few]
    return Guess([c.name for c in (*dates, *few)], "guessed: " + "; ".join(why) if why else "")


def _is_text(column: ColumnProfile) -> bool:
    """Whether its values are neither dates nor numbers."""
    odd = max(column.dates, column.numbers)
    return column.filled > 0 and odd < column.filled / 2


def _is_short(column: ColumnProfile) -> bool:
    return column.filled > 0 and column.words == 1 and column.longest <= 500


def _is_date(column: ColumnProfile) -> bool:
    return 0 < column.filled <= column.dates / _MOSTLY and column.longest <= 40


def _is_measure(column: ColumnProfile) -> bool:
    """Whether it may be unique by accident: a date, or a number."""
    return _is_date(column) or column.numbers == column.filled


def _is_filled(column: ColumnProfile, found: CorpusProfile) -> bool:
    return column.filled >= found.looked_at / 2 and 2 * column.distinct <= column.filled


def _tells_apart(column: ColumnProfile, found: CorpusProfile, share: float) -> bool:
    rows = found.looked_at - found.rejected
    return column.filled >= share * rows and column.distinct >= share * column.filled
