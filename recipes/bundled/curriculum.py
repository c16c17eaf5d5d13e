"""What the student reads: texts with what they mean, and texts with what they hold of things."""

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgpack
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nocturna.tasks.errors import UsageError
from recipes.bundled.sources import LANGUAGES, Said, Sources
from recipes.bundled.student import Lesson, Opinion
from recipes.bundled.teachers import Embed, learn_adapter

SENTENCES = {"es": 0.6, "en": 0.35, "pt": 0.45, "fr": 0.35}
"""The share of the sentences that is read, by language; of articles, likewise."""
ARTICLES = {"es": 0.5, "en": 0.1, "pt": 0.35, "fr": 0.3}
SHARES = {"neg": (0.9, 0.07, 0.03), "neu": (0.06, 0.88, 0.06), "pos": (0.03, 0.07, 0.9)}
WEAK = {"neg": (0.6, 0.25, 0.15), "pos": (0.15, 0.25, 0.6)}
MIXED = (0.25, 0.5, 0.25)
_FIRST_WORD, _WORDS = 150, 4_000
TAUGHT = {"tweets": 1.0, "emoji": 0.12, "reviews": 0.2, "phrases": 0.12}
"""The share of the opinions that the student itself is taught, by where they are from."""
_WEIGHTS = {"tweets": 1.0, "emoji": 0.5, "reviews": 0.5, "phrases": 0.4}


@dataclass(frozen=True)
class Lessons:
    """Lessons and what they mean.

    Attributes:
        lessons: sentences and articles, then the texts of scored pairs, then words.
        first_pair: where the texts of the pairs begin.
        targets: shape (targets, width), of unit length, in half precision.
    """

    lessons: list[Lesson]
    first_pair: int
    targets: Tensor


def frequent_words(language: str, most: int) -> list[str]:
    """The commonest words of a language, commonest first, as the package `wordfreq` has them.

    Raises:
        UsageError: the package is not installed.
    """
    found = find_spec("wordfreq")
    if found is None or found.origin is None:
        raise UsageError("wordfreq is not installed: pip install '.[train]'")
    path = Path(found.origin).parent / "data" / f"large_{language}.msgpack.gz"
    bins = msgpack.unpackb(gzip.decompress(path.read_bytes()), raw=False)[1:]
    return [word for words in bins for word in words][:most]


def make_lessons(sources: Sources, many: Embed, english: Embed, seed: int) -> Lessons:
    """What texts mean, in the space of the English teacher.

    Args:
        sources: the texts.
        many: the teacher of many languages.
        english: the teacher of English; a translation by rule counts half.
        seed: of the choice among the translations.
    """
    rng = random.Random(seed)
    spanish = many([text["es"] for text in sources.sentences])
    meant = english([text["en"] for text in sources.sentences])
    adapter = learn_adapter(spanish, meant, seed)
    lessons: list[Lesson] = []
    targets: list[Tensor] = []

    def add(texts: Sequence[Said], vectors: Tensor, shares: dict[str, float]) -> None:
        start = sum(map(len, targets))
        targets.append(normalize(vectors, dim=-1).half())
        lessons.extend(
            Lesson(text[language], start + row)
            for row, text in enumerate(texts)
            for language in text
            if rng.random() < shares[language]
        )

    every = dict.fromkeys(LANGUAGES, 1.0)
    add(sources.sentences, meant + adapter(spanish), SENTENCES)
    told = many([text["es"] for text in sources.articles])
    by_rule = english([text["en"] for text in sources.articles])
    add(sources.articles, 0.5 * by_rule + adapter(told), ARTICLES)
    pairs = list(dict.fromkeys(text for a, b, _ in sources.scored for text in (a, b)))
    first_pair = len(lessons)
    add([{"es": text} for text in pairs], adapter(many(pairs)), every)
    for language in LANGUAGES:
        words = [w for w in frequent_words(language, 9_000)[_FIRST_WORD:] if w.isalpha()]
        words = [word for word in words if len(word) > 3][:_WORDS]
        vectors = adapter(many(words))
        if language == "en":
            vectors = vectors + english(words)
        add([{language: word} for word in words], vectors, every)
    return Lessons(lessons, first_pair, torch.cat(targets))


def make_opinions(
    sources: Sources, seed: int, read: dict[str, float], together: int = 0
) -> list[Opinion]:
    """Texts with a label; several phrases put together stand for a long review.

    Args:
        sources: the texts.
        seed: of the choices.
        read: the share that is read, by where they are from; half of it of translations.
        together: how many long reviews.
    """
    rng = random.Random(seed)
    found: list[Opinion] = []
    for name, rows in sources.opinions.items():
        shares = WEAK if name == "emoji" else SHARES
        for text, label in rows:
            own = next(iter(text))
            for language, words in text.items():
                by_rule = language != own
                part = 0.5 if by_rule else 1.0
                if rng.random() < read[name] * part:
                    found.append(Opinion(words, shares[label], _WEIGHTS[name] * part))
    return found + put_together(sources, rng, together)


def put_together(sources: Sources, rng: random.Random, count: int) -> list[Opinion]:
    """Reviews of several phrases: praise, blame, or both, which is neither."""
    rows = sources.opinions["phrases"] + sources.opinions["reviews"]
    by_label = {label: [t for t, found in rows if found == label] for label in ("neg", "pos")}
    found = []
    for _ in range(count):
        language = rng.choice(LANGUAGES)
        label = rng.choice(("neg", "neu", "pos"))
        sides = ("neg", "pos") if label == "neu" else (label,)
        texts = [rng.choice(by_label[side]) for side in sides for _ in range(rng.randint(1, 3))]
        rng.shuffle(texts)
        words = ". ".join(text[language].rstrip(" .") for text in texts)
        found.append(Opinion(words, MIXED if label == "neu" else SHARES[label], 0.5))
    return found
