"""A tiny made-up copy of the training data, in the real files' layout."""

import gzip
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recipes.bundled.sources import OTHER_TWEETS, TWEETS

SUBJECTS = (("The dog", "El perro"), ("My sister", "Mi hermana"), ("The doctor", "El médico"))
VERBS = (("eats", "come"), ("sees", "ve"), ("wants", "quiere"), ("buys", "compra"))
OBJECTS = (("bread", "pan"), ("fish", "pescado"), ("a house", "una casa"), ("a book", "un libro"))
PAIRS = [
    (f"{s[0]} {v[0]} {o[0]}.", f"{s[1]} {v[1]} {o[1]}.")
    for s, v, o in itertools.product(SUBJECTS, VERBS, OBJECTS)
]
OPINIONS = {
    "neg": "Qué horrible es {}, lo odio 😡",
    "neu": "Hoy vimos {} en la calle",
    "pos": "Qué bonito es {}, me encanta 😍",
}


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_pairs(folder: Path, pairs: Iterable[tuple[str, ...]]) -> None:
    path = folder / "parallel/tatoeba-en-es.tsv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.writelines("\t".join(columns) + "\n" for columns in pairs)


def _tweets(first: int, count: int) -> list[dict[str, Any]]:
    things = [es for _, es in OBJECTS]
    return [
        {"text": f"{OPINIONS[label].format(things[i % 4])} {i}", "label": label}
        for i in range(first, first + count)
        for label in OPINIONS
    ]


def write_data(folder: Path) -> Path:
    """Write every file that trains, and a few that measure, under ``folder``."""
    write_pairs(folder, PAIRS)
    for language, side in (("en", 0), ("es", 1)):
        rows = [
            {"a": a[side], "b": b[side], "score": score}
            for a, b, score in zip(PAIRS, PAIRS[1:], itertools.cycle((0.0, 2.5, 5.0)), strict=False)
        ]
        write_jsonl(folder / f"parallel/stsb-{language}.train.jsonl.gz", rows[:30])
        write_jsonl(folder / f"parallel/stsb-{language}.dev.jsonl.gz", rows[44:])
    for language in (*TWEETS, *OTHER_TWEETS):
        write_jsonl(folder / f"sentiment/tweets-{language}.train.jsonl.gz", _tweets(0, 8))
        write_jsonl(folder / f"sentiment/tweets-{language}.val.jsonl.gz", _tweets(7, 3))
    weak = {"neg": "neg", "neu": None, "pos": "pos"}
    emoji_tweets = [{"text": row["text"], "weak": weak[row["label"]]} for row in _tweets(20, 5)]
    write_jsonl(folder / "sentiment/emoji-tweets-mx.train.jsonl.gz", emoji_tweets)
    english = [
        {"text": f"{feeling} {thing} {i}", "label": label}
        for i, (thing, _) in enumerate(OBJECTS)
        for feeling, label in (("I hate", "neg"), ("I love", "pos"))
    ]
    for name in ("pros_cons", "sentence_polarity", "movie_reviews"):
        write_jsonl(folder / f"sentiment/nltk-{name}.jsonl.gz", english)
    articles = [
        {"title": es, "text": f"{es} es una cosa conocida. {es} existe desde hace mucho tiempo."}
        for _, es in (*SUBJECTS, *OBJECTS)
    ]
    write_jsonl(folder / "load/wikipedia-es.jsonl.gz", articles)
    speeches = [{"text": f"Buenos días a todas y todos, punto {i}."} for i in range(40)]
    write_jsonl(folder / "load/speeches-es.jsonl.gz", speeches)
    return folder
