"""Measures the bundled models as a night scores: python -m recipes.bundled.measure --data DATA"""

import argparse
import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from nocturna.tasks.evaluation.file import evaluate_file
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import BUNDLED, resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.job.job import Compute
from recipes.bundled.files import read_jsonl

_TOPICS = [
    "science/technology",
    "travel",
    "politics",
    "sports",
    "health",
    "entertainment",
    "geography",
]
_NAMES = {
    "es": "ciencia y tecnología,viajes,política,deportes,salud,entretenimiento,geografía",
    "en": "science and technology,travel,politics,sports,health,entertainment,geography",
    "pt": "ciência e tecnologia,viagens,política,esportes,saúde,entretenimento,geografia",
    "fr": "science et technologie,voyages,politique,sports,santé,divertissement,géographie",
}
TOPICS = {
    language: dict(zip(_TOPICS, names.split(","), strict=True))
    for language, names in _NAMES.items()
}
"""The names of SIB-200's topics in each language."""

_FILES = {"es": "spa", "en": "eng", "pt": "por", "fr": "fra"}


def topic_options(data: Path, language: str, split: str, **options: Any) -> dict[str, Any]:
    """What `evaluate_file` is told to measure topics by their bare names."""
    names = TOPICS[language]
    path = data / f"topics/sib200-{_FILES[language]}_Latn.{split}.jsonl.gz"
    told = {"path": str(path), "task": "topic", "gold": "topic"}
    return {**told, "labels": tuple(names.values()), "names": names, "options": options}


def embedded(
    texts: Sequence[str], precision: str = "bf16", model: str = BUNDLED
) -> NDArray[np.float32]:
    """Vectors of an encoder, the bundled one if none is named, shape (texts, width)."""
    run = running(Compute(), precision)
    encoder = load_encoder(resolve_model(model, None, "encoder"), run)
    return encoder.embed(
        [i[: encoder.own.capacity] for i in encoder.tokenizer.encode(list(texts))], run
    )


def compare_encoders(data: Path, models: Sequence[str]) -> None:
    """Prints what encoders cost and know: paragraphs per CPU second, topics, similarities.

    Args:
        data: folder of the data sets.
        models: folders of encoders; topics are named by their bare names.
    """
    said = read_jsonl(data / "load/speeches-es.jsonl.gz")[::190]
    paragraphs = [row["text"] for row in said[:1_000]]
    pairs = read_jsonl(data / "parallel/stsb-es.dev.jsonl.gz")
    print("| encoder | paragraphs/CPU-s | " + " | ".join(TOPICS) + " | STS-B es |")
    print("|---" * (len(TOPICS) + 3) + "|")
    for model in models:
        embedded(paragraphs[:50], "fp32", model)
        start = time.process_time()
        embedded(paragraphs, "fp32", model)
        told = [f"{len(paragraphs) / (time.process_time() - start):.0f}"]
        for language, names in TOPICS.items():
            files = [topic_options(data, language, split)["path"] for split in ("train", "dev")]
            rows = [row for path in files for row in read_jsonl(Path(path))]
            labels = embedded(list(names.values()), "fp32", model)
            found = (embedded([row["text"] for row in rows], "fp32", model) @ labels.T).argmax(1)
            topics = [list(names)[at] for at in found]
            right = [topic == row["topic"] for topic, row in zip(topics, rows, strict=True)]
            told.append(f"{np.mean(right):.3f}")
        told.append(f"{_likeness(pairs, model):.3f}")
        print(f"| {Path(model).name} | " + " | ".join(told) + " |", flush=True)


def _likeness(pairs: Sequence[dict[str, Any]], model: str = BUNDLED) -> float:
    a, b = (embedded([row[side] for row in pairs], "fp32", model) for side in "ab")
    return float(spearmanr((a * b).sum(1), [row["score"] for row in pairs]).statistic)


SENTIMENT = {
    "UMSAB tweets Spanish val": "tweets-spanish.val",
    "UMSAB tweets English val": "tweets-english.val",
    "UMSAB tweets Portuguese val": "tweets-portuguese.val",
    "UMSAB tweets French val": "tweets-french.val",
    "TASS-2020 dev": "tass2020.dev",
    "tourism reviews": "turismo-reviews.dev",
}
"""The sets that measure sentiment, by what the card calls them."""


def measure_sentiment(data: Path, model: str | None = None) -> None:
    """Prints macro-F1, accuracy and calibration error by set, and how often which score is right.

    Args:
        data: folder of the data sets.
        model: another one than the bundled classifier.
    """
    print("| set | macro-F1 | accuracy | calibration error |\n|---|---|---|---|")
    counts, right = Counter[str](), Counter[str]()
    for name, file in SENTIMENT.items():
        path = str(data / f"sentiment/{file}.jsonl.gz")
        told = evaluate_file(path, "sentiment", model=model)[0].evaluation
        print(f"| {name} | {told.macro_f1:.3f} | {told.accuracy:.3f} |", end="")
        print(f" {told.calibration_error:.3f} |", flush=True)
        for found in told.reliability:
            score = f"{found.lower:.1f} to {found.upper:.1f}"
            counts[score] += found.count
            right[score] += round(found.count * (found.accuracy or 0))
    print("| top score | rows | right |\n|---|---|---|")
    for score in sorted(score for score, count in counts.items() if count):
        print(f"| {score} | {counts[score]:,} | {right[score] / counts[score]:.0%} |")


def measure_encoder(data: Path, template: str | None = None) -> None:
    """Prints accuracy of topics, and Spearman's rank correlation of similarities.

    Args:
        data: folder of the data sets.
        template: sentence with {} for the topic; the encoder's own for Spanish if none.
    """
    said = {"template": template} if template else {}
    print("| set | figure |\n|---|---|")
    for language in TOPICS:
        right, rows = 0.0, 0
        for split in ("train", "dev"):
            found, _, _ = evaluate_file(**topic_options(data, language, split, **said))
            accuracy, count = found.evaluation.accuracy, found.evaluation.n
            print(f"| SIB-200 {split} {language} | {accuracy:.3f} |")
            right, rows = right + accuracy * count, rows + count
        print(f"| SIB-200 {language} | {right / rows:.3f} |")
    for language in ("es", "en"):
        pairs = read_jsonl(data / f"parallel/stsb-{language}.dev.jsonl.gz")
        print(f"| STS-B dev {language} | {_likeness(pairs):.3f} |")


def main() -> None:
    """Prints tables."""
    parser = argparse.ArgumentParser(prog="python -m recipes.bundled.measure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--template", help="sentence with {} for the topic")
    parser.add_argument("--only", choices=("encoder", "sentiment"), help="measure one of them")
    parser.add_argument("--sentiment-model", help="another than the bundled classifier")
    parser.add_argument("--compare", nargs="+", metavar="FOLDER", help="compare encoders instead")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.compare:
        return compare_encoders(options.data, options.compare)
    if options.only != "encoder":
        measure_sentiment(options.data, options.sentiment_model)
    if options.only != "sentiment":
        measure_encoder(options.data, options.template)


if __name__ == "__main__":
    main()
