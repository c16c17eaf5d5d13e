"""Every number of the recipe in one place."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LessonRecipe:
    """How much of each source the student reads; counts are texts."""

    seed: int = 11
    pairs: int = 60_000
    joined: int = 5_000
    wikipedia_passes: int = 2
    speeches: int = 10_000
    tweets: int = 4_000
    reviews: int = 6_000
    gloss_weight: float = 0.6
    sure_translation: float = 0.3
    word_passes: int = 1


@dataclass(frozen=True)
class DistilRecipe:
    """One pass of AdamW with warm-up and linear decay; ``batch_tokens`` counts padding."""

    seed: int = 13
    processes: int = 2
    batch_tokens: int = 1536
    window: int = 96
    learning_rate: float = 5e-4
    temperature: float = 0.05
    scored_every: int = 8
    scored_batch: int = 48
    scored_weight: float = 0.2


CLOSING_LESSONS = LessonRecipe(
    seed=23,
    pairs=15_000,
    joined=1_000,
    wikipedia_passes=1,
    speeches=4_000,
    tweets=1_000,
    reviews=1_000,
    gloss_weight=1.0,
    word_passes=6,
)
CLOSING = DistilRecipe(seed=29, learning_rate=3e-4)
"""A second, short pass. Labels are single words, so words are what it reads most."""


@dataclass(frozen=True)
class EncoderRecipe:
    """A student of ``layers`` of the teacher with an own vocabulary."""

    vocabulary: int = 10_000
    window: int = 512
    layers: tuple[int, ...] = (0, 2, 3, 5)
    lessons: LessonRecipe = field(default_factory=LessonRecipe)
    distil: DistilRecipe = field(default_factory=DistilRecipe)
    closing_lessons: LessonRecipe = field(default_factory=lambda: CLOSING_LESSONS)
    closing: DistilRecipe = field(default_factory=lambda: CLOSING)


@dataclass(frozen=True)
class OpinionRecipe:
    """How much of each source the sentiment model reads, and how much it counts."""

    seed: int = 17
    tweet_passes: int = 3
    emoji_tweets: int = 24_000
    phrases: int = 3_000
    reviews: int = 2_500
    mixed: int = 1_500
    joined: int = 1_000
    plain: int = 1_000
    review_weight: float = 0.3
    mixed_weight: float = 0.4
    emoji_weight: float = 0.25
    plain_weight: float = 0.3
    tweet_weights: tuple[tuple[str, float], ...] = (
        ("spanish", 3.0),
        ("portuguese", 1.5),
        ("italian", 1.2),
        ("english", 1.0),
        ("french", 0.8),
        ("german", 0.6),
    )


@dataclass(frozen=True)
class SentimentRecipe:
    """A classifier on ``layers`` of the encoder."""

    seed: int = 19
    processes: int = 2
    layers: tuple[int, ...] = (0, 1)
    window: int = 128
    batch_tokens: int = 2048
    learning_rate: float = 2e-4
    dropout: float = 0.1
    opinions: OpinionRecipe = field(default_factory=OpinionRecipe)
