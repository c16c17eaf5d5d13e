"""The texts that train, each read once and cleared of everything that measures."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from recipes.bundled.data import (
    TWEET_LANGUAGES,
    clean_tweet,
    read_jsonl,
    read_pairs,
    sentences,
)
from recipes.bundled.leaks import measuring_fingerprints, without_leaks

_EVERY_SPEECH = 15

Item = TypeVar("Item")


@dataclass(frozen=True)
class ScoredPair:
    """Two texts and how alike people found them, 0 to 5."""

    a: str
    b: str
    score: float


@dataclass(frozen=True)
class Article:
    """A paragraph of an encyclopaedia and the title of its article."""

    title: str
    text: str


@dataclass(frozen=True)
class Sources:
    """Texts for training.

    ``pairs`` are (English, Spanish); ``articles`` have a title, ``wikipedia`` are sentences.
    Tweets by language, ``phrases`` (pros and cons) and ``reviews`` are rows with ``text`` and
    ``label``, ``emoji_tweets`` rows with ``text`` and ``weak``.
    """

    pairs: list[tuple[str, str]]
    scored: list[ScoredPair]
    articles: list[Article]
    wikipedia: list[str]
    speeches: list[str]
    tweets: dict[str, list[dict[str, Any]]]
    emoji_tweets: list[dict[str, Any]]
    phrases: list[dict[str, Any]]
    reviews: list[dict[str, Any]]


def _scored_rows(data: Path, measured: frozenset[str]) -> list[tuple[dict[str, Any], ...]]:
    english = read_jsonl(data / "parallel/stsb-en.train.jsonl.gz")
    spanish = read_jsonl(data / "parallel/stsb-es.train.jsonl.gz")
    both = list(zip(english, spanish, strict=True))
    return without_leaks(both, lambda rows: [row[k] for row in rows for k in "ab"], measured)


def read_sources(data: Path) -> Sources:
    """Read everything under ``data`` that may train.

    Raises:
        UsageError: a file is missing or cannot be read.
    """
    measured = measuring_fingerprints(data)

    def rows(name: str, every: int = 1) -> list[dict[str, Any]]:
        found = read_jsonl(data / f"{name}.jsonl.gz")[::every]
        return without_leaks(found, lambda row: [row["text"]], measured)

    def tweets(name: str) -> list[dict[str, Any]]:
        return [row | {"text": clean_tweet(row["text"])} for row in rows(name)]

    pairs = read_pairs(data / "parallel/tatoeba-en-es.tsv.gz")
    scored = _scored_rows(data, measured)
    paragraphs = rows("load/wikipedia-es")
    return Sources(
        pairs=without_leaks(pairs, lambda pair: pair, measured)
        + [(en[k], es[k]) for en, es in scored for k in "ab"],
        scored=[ScoredPair(r["a"], r["b"], float(r["score"])) for both in scored for r in both],
        articles=[Article(row["title"], row["text"]) for row in paragraphs if row["title"]],
        wikipedia=without_leaks(
            [s for row in paragraphs for s in sentences(row["text"])], lambda s: [s], measured
        ),
        speeches=[row["text"] for row in rows("load/speeches-es", _EVERY_SPEECH)],
        tweets={name: tweets(f"sentiment/tweets-{name}.train") for name in TWEET_LANGUAGES},
        emoji_tweets=tweets("sentiment/emoji-tweets-mx.train"),
        phrases=rows("sentiment/nltk-pros_cons"),
        reviews=rows("sentiment/nltk-sentence_polarity") + rows("sentiment/nltk-movie_reviews"),
    )


def vocabulary_texts(sources: Sources) -> list[str]:
    """What the vocabulary is learnt from: mostly Spanish, with English and tweets beside it."""
    rows = [*sources.emoji_tweets, *sources.phrases, *sources.reviews]
    return [
        *(text for pair in sources.pairs for text in pair),
        *sources.wikipedia * 3,
        *sources.speeches,
        *(row["text"] for tweets in sources.tweets.values() for row in tweets),
        *(row["text"] for row in rows if len(row["text"]) < 2_000),
    ]


def sample(items: Sequence[Item], count: int, rng: random.Random) -> list[Item]:
    """At most ``count`` of the items, in random order."""
    return rng.sample(items, min(count, len(items)))
