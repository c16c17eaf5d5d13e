"""Word-by-word glosses of texts in another language.

They let an English teacher read the gist of Spanish, and turn English reviews into Spanish ones.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from recipes.bundled.alignment import translation_table

_WORD = re.compile(r"\w+|[^\w\s]")
_NULL = "\0"

Lexicon = Mapping[str, tuple[str, float]]
"""For each word of a language its likeliest word in another, and how likely it is."""


def plain_words(text: str) -> list[str]:
    """Words and punctuation marks, lower-cased and without accents."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return _WORD.findall("".join(c for c in decomposed if unicodedata.category(c) != "Mn"))


def _ids(sentences: Sequence[list[str]], first: tuple[str, ...]) -> dict[str, int]:
    counts = Counter(word for words in sentences for word in words)
    return {word: i for i, word in enumerate((*first, *sorted(counts)))}


def learn_lexicon(
    pairs: Iterable[tuple[str, str]], least: float = 0.15
) -> dict[str, tuple[str, float]]:
    """For each word of the second language its likeliest word in the first, and how likely.

    ``pairs`` are sentences as (first language, second language). Words whose best translation is
    less likely than ``least``, or is no word, are left out.
    """
    split = [(plain_words(first), plain_words(second)) for first, second in pairs]
    to, of = [words for words, _ in split], [words for _, words in split]
    source, target = _ids(of, (_NULL,)), _ids(to, ())
    table = translation_table(
        [
            ([0, *(source[w] for w in words)], [target[w] for w in translation])
            for words, translation in zip(of, to, strict=True)
        ],
        len(source),
        len(target),
    )
    best = np.asarray(table.argmax(axis=1)).ravel()
    likelihood = table.max(axis=1).toarray().ravel()
    target_words = list(target)
    return {
        word: (target_words[best[i]], float(likelihood[i]))
        for word, i in source.items()
        if likelihood[i] >= least and word.isalnum() and target_words[best[i]].isalnum()
    }


def gloss(text: str, lexicon: Lexicon) -> str:
    """``text`` with each word that the lexicon knows translated, in the same order."""
    return " ".join(lexicon[w][0] if w in lexicon else w for w in plain_words(text))
