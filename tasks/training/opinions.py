"""What the sentiment model is to learn: texts with the share of each label, and a weight."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.training.gloss import gloss
from tasks.training.recipe import OpinionRecipe
from tasks.training.sources import Sources, sample

_LONG = 1_000

LABELS = ("NEG", "NEU", "POS")

Shares = tuple[float, float, float]

_SHARES: dict[str, Shares] = {"neg": (1, 0, 0), "neu": (0, 1, 0), "pos": (0, 0, 1)}

EMOJI_SHARES: dict[str | None, Shares] = {
    "neg": (0.65, 0.27, 0.08),
    "pos": (0.08, 0.27, 0.65),
    None: (0.2, 0.6, 0.2),
}
"""An emoji says less than a label: many tweets that carry one would be judged neutral."""


@dataclass(frozen=True)
class Opinion:
    """A text, its shares of NEG, NEU and POS (sum 1), and how much it counts."""

    text: str
    shares: Shares
    weight: float


def _labelled(rows: Iterable[dict[str, Any]], column: str, weight: float) -> list[Opinion]:
    return [
        Opinion(row["text"], _SHARES[row[column]], weight) for row in rows if row[column] in _SHARES
    ]


def _mixed(
    rows: Sequence[dict[str, Any]], count: int, weight: float, rng: random.Random
) -> list[Opinion]:
    """Praise and blame of equal measure in one text: what a three-star review reads like."""
    praise = [row["text"] for row in rows if row["label"] == "pos"]
    blame = [row["text"] for row in rows if row["label"] == "neg"]
    found = []
    for _ in range(min(count, len(praise), len(blame))):
        n = rng.randint(1, 3)
        parts = rng.sample(praise, min(n, len(praise))) + rng.sample(blame, min(n, len(blame)))
        rng.shuffle(parts)
        found.append(Opinion(" ".join(parts), (0.1, 0.8, 0.1), weight))
    return found


def _joined(
    rows: Sequence[dict[str, Any]], count: int, weight: float, rng: random.Random
) -> list[Opinion]:
    """Several texts of one label in one: longer input of the same sentiment."""
    found = []
    for label in ("neg", "pos"):
        texts = [row["text"] for row in rows if row["label"] == label]
        for _ in range(min(count // 2, len(texts))):
            parts = rng.sample(texts, min(rng.randint(2, 6), len(texts)))
            found.append(Opinion(" ".join(parts), _SHARES[label], weight))
    return found


def _weak(
    rows: Iterable[dict[str, Any]], weight: float, shares: Mapping[str | None, Shares]
) -> list[Opinion]:
    return [Opinion(row["text"], shares[row["weak"]], weight) for row in rows]


@dataclass(frozen=True)
class Curriculum:
    """What is read first (weak labels, other domains), and what is read after it."""

    first: list[Opinion]
    then: list[Opinion]


def make_curriculum(
    sources: Sources, lexicon: dict[str, tuple[str, float]], recipe: OpinionRecipe
) -> Curriculum:
    """Opinions of all sources; ``lexicon`` turns the English reviews into Spanish word by word."""
    rng = random.Random(recipe.seed)
    phrases = sample(sources.phrases, recipe.phrases, rng)
    reviews = sample(sources.reviews, recipe.reviews, rng)
    short = [row for row in [*phrases, *reviews] if len(row["text"]) < _LONG]
    single = _labelled([*phrases, *reviews], "label", recipe.review_weight)
    several = [
        *_mixed(short, recipe.mixed, recipe.mixed_weight, rng),
        *_joined(short, recipe.joined, recipe.mixed_weight, rng),
    ]
    plain = [
        *sample(sources.wikipedia, recipe.plain, rng),
        *sample(sources.speeches, recipe.plain, rng),
    ]

    def with_glosses(opinions: list[Opinion]) -> list[Opinion]:
        return opinions + [Opinion(gloss(o.text, lexicon), o.shares, o.weight) for o in opinions]

    return Curriculum(
        first=[
            *with_glosses(single),
            *_weak(
                sample(sources.emoji_tweets, recipe.emoji_tweets, rng),
                recipe.emoji_weight,
                EMOJI_SHARES,
            ),
        ],
        then=[
            *with_glosses(several),
            *(Opinion(text, (0.05, 0.9, 0.05), recipe.plain_weight) for text in plain),
            *recipe.tweet_passes
            * [
                opinion
                for language, weight in recipe.tweet_weights
                for opinion in _labelled(sources.tweets[language], "label", weight)
            ],
        ],
    )
