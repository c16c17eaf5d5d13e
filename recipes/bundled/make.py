"""Makes both models: python -m recipes.bundled.make --data ../shared/data --out data/models

From the public data sets and packages to the folders that ship, in one run, seeded. `--cache` keeps
the texts with their translations and what the teachers said of them for the next run.
"""

import argparse
import logging
import pickle
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import BertModel, PreTrainedTokenizerFast

from nocturna.tasks.errors import NocturnaError
from recipes.bundled.calibrate import calibrate
from recipes.bundled.curriculum import TAUGHT, make_lessons, make_opinions
from recipes.bundled.e5 import (
    PROMPT,
    cut_vocabulary,
    keep_words,
    network_of,
    read_packed,
    tokenizer_of,
)
from recipes.bundled.sentiment import branch_of, make_judged, teach_branch
from recipes.bundled.shipping import describe_sentence_transformer, save_model, share_weights
from recipes.bundled.sources import LANGUAGES, Sources, frequent_words, read_sources
from recipes.bundled.student import Lesson, Opinion, encode, read, teach
from recipes.bundled.teachers import embedder, minilm, rotation
from recipes.bundled.upper import SHARED, teach_upper

logger = logging.getLogger(__name__)

ENCODER, SENTIMENT = "encoder-es-en-pt-fr", "sentiment-es-en-pt-fr"
LAYERS = (0, 2, 4, 6, 8, 10)
PIECES, SHIPPED_PIECES = 40_000, 36_000
SEED = 11
SENTENCES, ARTICLES = 40_000, 20_200
_UPPER = 150_000
_COMMON, _TIMES = 8_000, 30
"""The commonest words of a language, labels among them, keep the pieces that they are made of."""


def make(data: Path, out: Path, cache: Path) -> None:
    """From the data to the folders that ship.

    Args:
        data: folder of the data sets.
        out: where the models' folders go.
        cache: where the texts, their translations and the teachers' vectors are kept.

    Raises:
        UsageError: a file, a package or a program is missing.
    """
    sources = _kept_sources(data, cache / "sources.pickle")
    packed = read_packed()
    texts = _vocabulary_texts(sources)
    rows = cut_vocabulary(packed.pieces, texts, PIECES)
    pieces = [packed.pieces[row] for row in rows]
    tokenizer = tokenizer_of(pieces)
    _save(network_of(packed, rows, list(range(12))), tokenizer, cache / "e5")
    many = embedder(cache / "e5", PROMPT, cache / "many.pt")
    found = make_lessons(sources, many, embedder(minilm(), None, cache / "english.pt"), SEED)
    student = network_of(packed, rows, list(LAYERS)).eval()
    targets = _turned(student, tokenizer, found.long, found.targets.float())
    opinions = make_opinions(sources, SEED, TAUGHT, 2_000)
    rng = random.Random(SEED)
    first = [lesson for lesson in found.long if rng.random() < lesson.first]
    logger.info("%d lessons, %d opinions", len(first + found.short), len(opinions))
    teach(student, tokenizer, first + found.short, targets, opinions, sources.scored, SEED)
    _save(student, tokenizer, cache / "first")
    close(student, tokenizer, first, found.short, targets, opinions, sources)
    shipped = cut_vocabulary(pieces, texts, SHIPPED_PIECES)
    keep_words(student, shipped)
    tokenizer = tokenizer_of([pieces[at] for at in shipped])
    some = rng.sample(found.long, min(_UPPER, len(found.long)))
    teach_upper(student, tokenizer, some + found.short, targets, sources.scored, SEED)
    _save(student, tokenizer, out / ENCODER)
    branch = branch_of(student, SEED)
    teach_branch(branch, tokenizer, make_judged(sources, many, SEED), SEED)
    save_model(branch, tokenizer, out / SENTIMENT)
    share_weights(out / ENCODER, out / SENTIMENT, SHARED)
    right = calibrate(data, out / ENCODER, SEED)
    logger.info("own titles found: %s", right)


def _save(model: BertModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    save_model(model, tokenizer, folder)
    window = model.config.max_position_embeddings
    describe_sentence_transformer(folder, model.config.hidden_size, window, 0.05)


def _turned(
    student: BertModel, tokenizer: PreTrainedTokenizerFast, lessons: list[Lesson], targets: Tensor
) -> Tensor:
    """Targets, turned to where the student is nearest to them."""
    some = random.Random(SEED).sample(lessons, min(3_000, len(lessons)))
    with torch.inference_mode():
        before = [
            read(student, encode(tokenizer, [lesson.text for lesson in part], 96))
            for part in (some[i : i + 64] for i in range(0, len(some), 64))
        ]
    return targets @ rotation(torch.cat(before), targets[[lesson.target for lesson in some]])


def close(
    student: BertModel,
    tokenizer: PreTrainedTokenizerFast,
    long: Sequence[Lesson],
    short: Sequence[Lesson],
    targets: Tensor,
    opinions: Sequence[Opinion],
    sources: Sources,
) -> None:
    """A short second pass, in which words, and which pairs are more alike, count most."""
    rng = random.Random(SEED + 2)
    lessons = [*rng.sample(long, min(13_000, len(long))), *short]
    some = rng.sample(list(opinions), min(5_000, len(opinions)))
    teach(student, tokenizer, lessons, targets, some, sources.scored, SEED + 2, 2e-4, (2, 1.0))


def _kept_sources(data: Path, kept: Path) -> Sources:
    if kept.is_file():
        found: Sources = pickle.loads(kept.read_bytes())
        return found
    found = read_sources(data, SENTENCES, ARTICLES, seed=1)
    kept.write_bytes(pickle.dumps(found))
    return found


def _vocabulary_texts(sources: Sources) -> Sequence[str]:
    said = [*sources.sentences, *sources.articles]
    said += [text for rows in sources.opinions.values() for text, _ in rows]
    words = [word for language in LANGUAGES for word in frequent_words(language, 60_000)]
    words += [word for language in ("it", "de", "ca") for word in frequent_words(language, 25_000)]
    texts = [spoken for text in said for spoken in text.values()]
    common = [word for language in LANGUAGES for word in frequent_words(language, _COMMON)]
    return texts + common * _TIMES + words + [word.capitalize() for word in words[::3]]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m recipes.bundled.make", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="where the models' folders go")
    parser.add_argument("--cache", type=Path, help="folder of what is kept")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as room:
            cache = options.cache or Path(room)
            cache.mkdir(parents=True, exist_ok=True)
            make(options.data, options.out, cache)
    except NocturnaError as error:
        print(f"make: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
