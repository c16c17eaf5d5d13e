"""The language of a text, told on this machine by a model that comes with py3langid."""

from collections.abc import Iterable
from functools import cache
from typing import Any

READ = 200
"""Characters that are read: on whole sentences, more of them change nothing but the time."""

SURE = 0.4
"""Least probability of a language; below it, as with a word or two, none is told.

Of 2,180 Spanish tweets of TASS-2020 96 % are that sure and 99 % of these right; with 0.6 it would
be 89 % and 99.8 %.
"""


def languages_of(texts: Iterable[str]) -> list[str | None]:
    """The ISO 639-1 code of each text's language, in order; None where it cannot be told.

    Only the first `READ` characters count. A language without such a code is taken for the nearest
    that has one, or cannot be told.
    """
    starts = [text[:READ] for text in texts]
    told = {start: _identifier().classify(start)[0] for start in dict.fromkeys(starts)}
    return [told[start] if len(told[start]) == 2 else None for start in starts]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=SURE)
    found.set_languages([c for c in found.labels if len(c) == 2])
    return found
