"""The texts that train: read once, cleared of everything that measures, and translated.

What measures is told by `recipes.bundled.leaks`.
"""

import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from recipes.bundled.files import clean_tweet, read_jsonl, read_pairs
from recipes.bundled.files import sentences as sentences_of
from recipes.bundled.leaks import measuring_fingerprints, without_leaks

LANGUAGES = ("es", "en", "pt", "fr")
TWEETS = {"spanish": "es", "english": "en", "portuguese": "pt", "french": "fr"}
OTHER_TWEETS = {"italian": "it", "german": "de"}
_PAIRS = {("es", "pt"): "es-pt_BR", ("es", "fr"): "es-fr", ("es", "en"): "spa-eng"}
_PAIRS |= {("en", "es"): "eng-spa", ("pt", "es"): "pt-es", ("fr", "es"): "fr-es"}
_SENTENCE = (30, 300)
_SPEECHES = 3_500

Said = dict[str, str]
"""What one text says, by language."""
Translate = Callable[[list[Said], str, Sequence[str]], list[Said]]
"""Gives texts that are there in one language in others too."""


@dataclass(frozen=True)
class Sources:
    """Texts for training.

    Attributes:
        sentences: translations of each other; English and Spanish by people, the others by rule.
        scored: English and Spanish sentence pairs a and b, and how alike people found them, 0-5.
        articles: Spanish sentences of an encyclopaedia, all translated by rule.
        opinions: texts with a label, neg, neu or pos, by where they are from.
        speeches: paragraphs of press conferences.
    """

    sentences: list[Said]
    scored: list[tuple[str, str, float]]
    articles: list[Said]
    opinions: dict[str, list[tuple[Said, str]]]
    speeches: list[str]


def read_sources(
    data: Path, sentences: int, articles: int, seed: int, translate: Translate | None = None
) -> Sources:
    """Reads everything under `data` that may train.

    Args:
        data: the folder of the data sets.
        sentences: how many pairs of sentences to take at most.
        articles: about how many sentences of the encyclopaedia.
        seed: of the choice of the pairs.
        translate: what translates; `translated` if none.

    Raises:
        UsageError: a file is missing or cannot be read, or the translator is not installed.
    """
    translate = translate or translated
    measured = measuring_fingerprints(data)
    free = partial(without_leaks, texts_of=dict.values, measured=measured)
    pairs: dict[str, str] = {}
    for english, spanish in read_pairs(data / "parallel/tatoeba-en-es.tsv.gz"):
        pairs.setdefault(spanish, english)
    rows = [read_jsonl(data / f"parallel/stsb-{name}.train.jsonl.gz") for name in ("en", "es")]
    for en, es in zip(*rows, strict=True):
        pairs |= {es[k]: en[k] for k in "ab" if es[k] not in pairs}
    paired = free([{"es": es, "en": en} for es, en in pairs.items()])
    random.Random(seed).shuffle(paired)
    paragraphs = [row["text"] for row in read_jsonl(data / "load/wikipedia-es.jsonl.gz")]
    told = dict.fromkeys(s for text in paragraphs for s in sentences_of(text))
    encyclopaedia = free([{"es": s} for s in told if _SENTENCE[0] <= len(s) <= _SENTENCE[1]])
    encyclopaedia = encyclopaedia[:: max(1, -(-len(encyclopaedia) // articles))]
    scored = [(r["a"], r["b"], float(r["score"])) for part in rows for r in part]
    scored = [(a, b, score) for a, b, score in scored if free([{"a": a, "b": b}])]
    spoken = [row["text"] for row in read_jsonl(data / "load/speeches-es.jsonl.gz")]
    spoken = spoken[:: max(1, len(spoken) // _SPEECHES)]
    return Sources(
        sentences=translate(paired[:sentences], "es", ("pt", "fr")),
        scored=scored,
        articles=translate(encyclopaedia, "es", ("en", "pt", "fr")),
        opinions=_opinions(data, free, translate),
        speeches=[text["es"] for text in free([{"es": text} for text in spoken])],
    )


def _opinions(data: Path, free: Any, translate: Translate) -> dict[str, list[tuple[Said, str]]]:
    def rows(name: str, language: str, label: str = "label", every: int = 1) -> Any:
        found = read_jsonl(data / f"sentiment/{name}.jsonl.gz")[::every]
        kept = [(clean_tweet(row["text"])[:900], row[label]) for row in found if row[label]]
        return [({language: text}, said) for text, said in kept if free([{language: text}])]

    def told(found: Any, start: str, *others: str) -> list[tuple[Said, str]]:
        texts = translate([text for text, _ in found], start, others)
        return [(text, label) for text, (_, label) in zip(texts, found, strict=True)]

    tweets: list[tuple[Said, str]] = []
    for name, language in TWEETS.items():
        found = rows(f"tweets-{name}.train", language)
        if language != "es":
            found = told(found, language, "es")
        tweets += told(found, "es", *(x for x in ("pt", "fr") if x != language))
    for name, language in OTHER_TWEETS.items():
        tweets += rows(f"tweets-{name}.train", language)
    reviews = rows("nltk-sentence_polarity", "en") + rows("nltk-movie_reviews", "en")
    return {
        "tweets": tweets,
        "emoji": told(rows("emoji-tweets-mx.train", "es", "weak"), "es", "pt", "fr"),
        "reviews": told(told(reviews, "en", "es"), "es", "pt", "fr"),
        "phrases": told(told(rows("nltk-pros_cons", "en", every=2), "en", "es"), "es", "pt", "fr"),
    }


def translated(texts: list[Said], start: str, others: Sequence[str]) -> list[Said]:
    """The texts in further languages too, by the rules of Apertium (Forcada et al. 2011).

    Raises:
        UsageError: Apertium or one of its pairs is not installed.
    """
    lines = "\n".join(" ".join(text[start].split()) for text in texts)
    found = [dict(text) for text in texts]
    for other in others:
        command = ["apertium", "-u", _PAIRS[start, other]]
        try:
            ran = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(
                f"{' '.join(command)}: {error}; apt install apertium apertium-eng-spa "
                "apertium-es-pt apertium-fr-es"
            ) from None
        for text, line in zip(found, ran.stdout.rstrip("\n").split("\n"), strict=True):
            text[other] = line.replace("*", "")
    return found
