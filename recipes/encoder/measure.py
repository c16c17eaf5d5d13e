"""Measures the bundled encoder as a night scores: python -m recipes.encoder.measure --data DATA"""

import argparse
import logging
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
from recipes.bundled.data import read_jsonl

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


def embedded(texts: Sequence[str], precision: str = "bf16") -> NDArray[np.float32]:
    """Vectors of the bundled encoder, shape (texts, width)."""
    run = running(Compute(), precision)
    encoder = load_encoder(resolve_model(BUNDLED, None, "encoder"), run)
    return encoder.embed(
        [i[: encoder.capacity] for i in encoder.tokenizer.encode(list(texts))], run
    )


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(prog="python -m recipes.encoder.measure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--template", help="sentence with {} for the topic")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    said = {"template": options.template} if options.template else {}
    print("| set | figure |\n|---|---|")
    for language in TOPICS:
        right, rows = 0.0, 0
        for split in ("train", "dev"):
            found, _, _ = evaluate_file(**topic_options(options.data, language, split, **said))
            accuracy, count = found.evaluation.accuracy, found.evaluation.n
            print(f"| SIB-200 {split} {language} | {accuracy:.3f} |")
            right, rows = right + accuracy * count, rows + count
        print(f"| SIB-200 {language} | {right / rows:.3f} |")
    for language in ("es", "en"):
        pairs = read_jsonl(options.data / f"parallel/stsb-{language}.dev.jsonl.gz")
        a, b = (embedded([row[side] for row in pairs]) for side in "ab")
        found = spearmanr((a * b).sum(1), [row["score"] for row in pairs]).statistic
        print(f"| STS-B dev {language} | {found:.3f} |")


if __name__ == "__main__":
    main()
