"""The texts that train: read once, cleared of everything that measures, and translated.

What measures is told by `recipes.bundled.leaks`.
"""

import gzip
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgpack

from nocturna.tasks.errors import UsageError
from recipes.bundled.files import clean_tweet, read_jsonl, read_pairs
from recipes.bundled.files import sentences as sentences_of
from recipes.bundled.leaks import measuring_fingerprints, without_leaks

LANGUAGES = ("es", "en", "pt", "fr")
TWEETS = {"spanish": "es", "english": "en", "portuguese": "pt", "french": "fr"}
OTHER_TWEETS = {"italian": "it", "german": "de"}
_PAIRS = {("es", "pt"): "es-pt_BR", ("es", "fr"): "es-fr", ("es", "en"): "spa-eng"}
_PAIRS |= {("en", "es"): "eng-spa", ("pt", "es"): "pt-es", ("fr", "es"): "fr-es"}
_SENTENCE = (30, 400)
_SPEECHES, _SPOKEN = 3_500, 2_500
_FIRST_WORD, _WORDS = 150, 4_000

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
        paired: the texts of scored pairs, in English and Spanish.
        articles: Spanish sentences, most of an encyclopaedia, all translated by rule.
        words: common words by their language, each with its English by rule.
        opinions: texts with a label, neg, neu or pos, by where they are from.
        speeches: paragraphs of press conferences.
    """

    sentences: list[Said]
    scored: list[tuple[str, str, float]]
    paired: list[Said]
    articles: list[Said]
    words: dict[str, list[Said]]
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
    encyclopaedia = free([{"es": s} for s in told if _is_sentence(s)])
    encyclopaedia = encyclopaedia[:: max(1, -(-len(encyclopaedia) // articles))]
    sides = [(en[k], es[k]) for en, es in zip(*rows, strict=True) for k in "ab"]
    both = free([{"en": en, "es": es} for en, es in dict.fromkeys(sides)])
    scored = [(r["a"], r["b"], float(r["score"])) for part in rows for r in part]
    scored = [(a, b, score) for a, b, score in scored if free([{"a": a, "b": b}])]
    spoken = [row["text"] for row in read_jsonl(data / "load/speeches-es.jsonl.gz")]
    spoken = spoken[:: max(1, len(spoken) // _SPEECHES)]
    speeches = [text["es"] for text in free([{"es": text} for text in spoken])]
    said = [s for text in speeches for s in sentences_of(text) if _is_sentence(s)]
    encyclopaedia += free([{"es": s} for s in said[:: max(1, len(said) // _SPOKEN)]])
    return Sources(
        sentences=translate(paired[:sentences], "es", ("pt", "fr")),
        scored=scored,
        paired=both,
        articles=translate(encyclopaedia, "es", ("en", "pt", "fr")),
        words={language: free(_words(language, translate)) for language in LANGUAGES},
        opinions=_opinions(data, free, translate),
        speeches=speeches,
    )


def _is_sentence(text: str) -> bool:
    return _SENTENCE[0] <= len(text) <= _SENTENCE[1]


def _words(language: str, translate: Translate) -> list[Said]:
    """Common words, with the English that rules make of them by way of Spanish."""
    words = [w for w in frequent_words(language, 9_000)[_FIRST_WORD:] if w.isalpha()]
    found = [{language: word} for word in words if len(word) > 3][:_WORDS]
    if language not in ("es", "en"):
        found = translate(found, language, ("es",))
    if language != "en":
        found = translate(found, "es", ("en",))
    return [{side: text[side] for side in (language, "en") if side in text} for text in found]


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
