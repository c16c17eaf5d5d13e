"""Texts with the share of each label, and a weight: what a sentiment model learns from."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recipes.bundled.gloss import Lexicon, gloss

LABELS = ("NEG", "NEU", "POS")

Shares = tuple[float, float, float]
Judge = Callable[[Sequence[str]], list[Shares]]
"""Gives English texts the shares that it thinks they have."""

_SHARES: dict[str, Shares] = {"neg": (1, 0, 0), "neu": (0, 1, 0), "pos": (0, 0, 1)}

EMOJI_SHARES: dict[str | None, Shares] = {
    "neg": (0.65, 0.27, 0.08),
    "pos": (0.08, 0.27, 0.65),
    None: (0.2, 0.6, 0.2),
}
"""An emoji says less than a label: many tweets that carry one would be judged neutral."""

MIXED_SHARES: Shares = (0.1, 0.8, 0.1)
"""Of a text that praises as much as it blames."""


@dataclass(frozen=True)
class Opinion:
    """A text, its shares of NEG, NEU and POS (sum 1), and how much it counts."""

    text: str
    shares: Shares
    weight: float


@dataclass(frozen=True)
class Curriculum:
    """What is read first (weak labels, other domains), and what is read after it."""

    first: list[Opinion]
    then: list[Opinion]


def labelled(rows: Iterable[dict[str, Any]], weight: float) -> list[Opinion]:
    """Rows with a label that a person gave."""
    return [
        Opinion(row["text"], _SHARES[row["label"]], weight)
        for row in rows
        if row["label"] in _SHARES
    ]


def mixed(
    rows: Sequence[dict[str, Any]], count: int, weight: float, rng: random.Random
) -> list[Opinion]:
    """Praise and blame of equal measure in one text: what a three-star review reads like."""
    praise = [row["text"] for row in rows if row["label"] == "pos"]
    blame = [row["text"] for row in rows if row["label"] == "neg"]
    found = []
    for _ in range(min(count, len(praise), len(blame))):
        n = rng.randint(1, 3)
        parts = _some(praise, n, rng) + _some(blame, n, rng)
        found.append(Opinion(_in_one(parts, rng), MIXED_SHARES, weight))
    return found


def joined(
    rows: Sequence[dict[str, Any]], count: int, weight: float, rng: random.Random
) -> list[Opinion]:
    """Several texts of one label in one: longer input of the same sentiment."""
    found = []
    for label in ("neg", "pos"):
        texts = [row["text"] for row in rows if row["label"] == label]
        for _ in range(min(count // 2, len(texts))):
            parts = _some(texts, rng.randint(2, 6), rng)
            found.append(Opinion(_in_one(parts, rng), _SHARES[label], weight))
    return found


def glossed(opinions: Iterable[Opinion], lexicon: Lexicon) -> list[Opinion]:
    """The same opinions, word by word in another language."""
    return [Opinion(gloss(o.text, lexicon), o.shares, o.weight) for o in opinions]


def composed(
    texts: Sequence[str],
    shares: Sequence[Shares],
    counts: tuple[int, int],
    weight: float,
    rng: random.Random,
) -> list[Opinion]:
    """Longer texts put together from judged sentences.

    One kind praises or blames, with sentences that do neither and now and then one that does the
    opposite; the other praises as much as it blames.

    Args:
        texts, shares: sentences and what the judge thinks of each.
        counts: how many of each kind.
    """
    sides = {
        0: [t for t, s in zip(texts, shares, strict=True) if s[0] > 0.75],
        2: [t for t, s in zip(texts, shares, strict=True) if s[2] > 0.6],
    }
    plain = [t for t, s in zip(texts, shares, strict=True) if abs(s[0] - s[2]) < 0.25]
    if not all(sides.values()):
        return []
    found = []
    for number in range(counts[0]):
        own = 2 if number % 2 else 0
        parts = _some(sides[own], rng.randint(2, 6), rng) + _some(plain, rng.randint(0, 4), rng)
        if rng.random() < 0.3:
            parts += _some(sides[2 - own], 1, rng)
        weights = [0.05, 0.15, 0.05]
        weights[own] = 0.8
        found.append(Opinion(_in_one(parts, rng), (weights[0], weights[1], weights[2]), weight))
    for _ in range(counts[1]):
        n = rng.randint(1, 3)
        parts = _some(sides[0], n, rng) + _some(sides[2], n, rng)
        parts += _some(plain, rng.randint(0, 2), rng)
        found.append(Opinion(_in_one(parts, rng), MIXED_SHARES, weight))
    return found


def halfway(one: Shares, other: Shares) -> Shares:
    """The mean of two judgements."""
    a, b, c = ((x + y) / 2 for x, y in zip(one, other, strict=True))
    return a, b, c


def _some(texts: Sequence[str], count: int, rng: random.Random) -> list[str]:
    return rng.sample(texts, min(count, len(texts)))


def _in_one(parts: list[str], rng: random.Random) -> str:
    rng.shuffle(parts)
    return " ".join(parts)
