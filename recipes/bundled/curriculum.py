"""What the student reads: texts with what they mean, and texts with what they hold of things."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recipes.bundled.sources import LANGUAGES, Said, Sources
from recipes.bundled.student import Lesson, Opinion
from recipes.bundled.teachers import Embed, learn_adapter

SENTENCES = {"es": 0.6, "en": 0.35, "pt": 0.45, "fr": 0.35}
"""The share of the sentences that the first pass reads, by language; of articles, likewise."""
ARTICLES = {"es": 0.25, "en": 0.05, "pt": 0.18, "fr": 0.15}
SHARES = {"neg": (0.9, 0.07, 0.03), "neu": (0.06, 0.88, 0.06), "pos": (0.03, 0.07, 0.9)}
WEAK = {"neg": (0.6, 0.25, 0.15), "pos": (0.15, 0.25, 0.6)}
MIXED = (0.25, 0.5, 0.25)
TAUGHT = {"tweets": 1.0, "emoji": 0.12, "reviews": 0.2, "phrases": 0.12}
"""The share of the opinions that the student itself is taught, by where they are from."""
_WEIGHTS = {"tweets": 1.0, "emoji": 0.5, "reviews": 0.5, "phrases": 0.4}


@dataclass(frozen=True)
class Lessons:
    """Lessons and what they mean.

    Attributes:
        long: sentences and articles.
        short: the texts of scored pairs, and words.
        targets: shape (targets, width), of unit length, in half precision.
    """

    long: list[Lesson]
    short: list[Lesson]
    targets: Tensor


def make_lessons(sources: Sources, many: Embed, english: Embed, seed: int) -> Lessons:
    """What texts mean, in the space of the English teacher, in each language that they are in.

    Args:
        sources: the texts.
        many: the teacher of many languages.
        english: the teacher of English; a translation by rule counts half.
        seed: of the adapter between the two.
    """
    meant = english([text["en"] for text in sources.sentences])
    spanish = many([text["es"] for text in sources.sentences])
    adapter = learn_adapter(spanish, meant, seed)
    targets = [normalize(meant + adapter(spanish), dim=-1).half()]
    long = [
        Lesson(text[language], row, first=SENTENCES[language])
        for row, text in enumerate(sources.sentences)
        for language in text
    ]

    def add(texts: Sequence[Said], side: str, by_rule: float) -> list[tuple[int, Said]]:
        start = sum(map(len, targets))
        vectors = adapter(many([text[side] for text in texts]))
        vectors = vectors + by_rule * english([text["en"] for text in texts])
        targets.append(normalize(vectors, dim=-1).half())
        return list(enumerate(texts, start))

    for row, text in add(sources.articles, "es", 0.5):
        long += [Lesson(text[language], row, first=ARTICLES[language]) for language in text]
    short = [Lesson(text[side], row) for row, text in add(sources.paired, "es", 1) for side in text]
    for language, words in sources.words.items():
        found = add(words, language, 1.0 if language == "en" else 0.5)
        short += [Lesson(text[language], row, weight=1.5) for row, text in found]
    return Lessons(long, short, torch.cat(targets))


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
