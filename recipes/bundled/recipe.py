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
class FitRecipe:
    """One pass of AdamW over opinions; ``batch_tokens`` a process, padding included."""

    seed: int
    learning_rate: float
    processes: int = 2
    window: int = 128
    batch_tokens: int = 1024


@dataclass(frozen=True)
class JudgeLessons:
    """How much of each source the judge of English reads, and how much it counts."""

    seed: int = 5
    phrases: int = 6_000
    reviews: int = 5_000
    emoji_tweets: int = 10_000
    mixed: int = 1_500
    joined: int = 1_000
    tweet_passes: int = 3
    review_weight: float = 0.3
    emoji_weight: float = 0.15
    mixed_weight: float = 0.4
    gloss_weight: float = 0.7


@dataclass(frozen=True)
class JudgeRecipe:
    """A classifier on ``layers`` of the English teacher, which judges texts for the shipped one."""

    layers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    dropout: float = 0.1
    fit: FitRecipe = FitRecipe(seed=3, learning_rate=1e-4)
    lessons: JudgeLessons = field(default_factory=JudgeLessons)


@dataclass(frozen=True)
class OpinionRecipe:
    """How much of each source the sentiment model reads, and how much it counts."""

    seed: int = 17
    judged: int = 130_000
    spoken: int = 45_000
    emoji_tweets: int = 45_000
    phrases: int = 5_000
    reviews: int = 5_000
    mixed: int = 800
    joined: int = 2_500
    composed: int = 12_000
    composed_mixed: int = 1_500
    plain: int = 500
    tweet_passes: int = 3
    gloss_passes: int = 2
    spoken_weight: float = 0.35
    emoji_weight: float = 0.35
    review_weight: float = 0.3
    mixed_weight: float = 0.4
    composed_weight: float = 0.5
    plain_weight: float = 0.1
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

    layers: tuple[int, ...] = (0, 1)
    dropout: float = 0.1
    fit: FitRecipe = FitRecipe(seed=19, learning_rate=3e-4)
    opinions: OpinionRecipe = field(default_factory=OpinionRecipe)
    judge: JudgeRecipe = field(default_factory=JudgeRecipe)
