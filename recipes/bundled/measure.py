"""Measures the encoder and its teacher: python -m recipes.bundled.measure --data ../shared/data

Zero-shot topics (SIB-200) and similarity of sentence pairs (STS-B), in fp32, as a table.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from scipy.stats import spearmanr

from nocturna.tasks.errors import NocturnaError
from recipes.bundled.bundle import ENCODER_FOLDER, load_encoder
from recipes.bundled.data import read_jsonl
from recipes.bundled.teacher import embed, load_teacher

Embed = Callable[[Sequence[str]], torch.Tensor]

SPANISH_TOPICS = {
    "science/technology": "ciencia y tecnología",
    "travel": "viajes",
    "politics": "política",
    "sports": "deportes",
    "health": "salud",
    "entertainment": "entretenimiento",
    "geography": "geografía",
}
ENGLISH_TOPICS = {topic: topic.replace("/", " and ") for topic in SPANISH_TOPICS}
TOPIC_SETS = {
    f"topics/sib200-{language}.{split}": names
    for split in ("train", "dev")
    for language, names in (
        ("spa_Latn", SPANISH_TOPICS),
        ("eng_Latn", ENGLISH_TOPICS),
        ("por_Latn", SPANISH_TOPICS),
        ("fra_Latn", ENGLISH_TOPICS),
    )
}
PAIR_SETS = tuple(
    f"parallel/stsb-{lang}.{split}" for split in ("dev", "test") for lang in ("es", "en")
)


def topic_accuracy(
    embed_texts: Embed, path: Path, names: Mapping[str, str], template: str = "{}"
) -> float:
    """Share of sentences whose topic name, put into ``template``, is the most similar one."""
    rows = read_jsonl(path)
    topics = list(names)
    labels = embed_texts([template.format(names[topic]) for topic in topics])
    best = (embed_texts([row["text"] for row in rows]) @ labels.T).argmax(1).tolist()
    return sum(topics[i] == row["topic"] for i, row in zip(best, rows, strict=True)) / len(rows)


def similarity_spearman(embed_texts: Embed, path: Path) -> float:
    """Spearman's rank correlation of cosine similarity with the scores of STS-B pairs."""
    rows = read_jsonl(path)
    cosine = (embed_texts([r["a"] for r in rows]) * embed_texts([r["b"] for r in rows])).sum(1)
    return float(spearmanr(cosine.numpy(), [row["score"] for row in rows]).statistic)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m recipes.bundled.measure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument(
        "--template", default="{}", help="sentence with {} for a Spanish topic name"
    )
    options = parser.parse_args(arguments)
    try:
        student, teacher = load_encoder(options.models / ENCODER_FOLDER), load_teacher()
        models = [
            partial(embed, m.model.eval(), m.tokenizer, window=256, exact=True)
            for m in (student, teacher)
        ]
        print(f"{'set':28} student teacher")
        for name, names in TOPIC_SETS.items():
            path = options.data / f"{name}.jsonl.gz"
            template = options.template if names is SPANISH_TOPICS else "{}"
            found = [topic_accuracy(model, path, names, template) for model in models]
            print(f"{name:28}", *(f"{value:7.3f}" for value in found))
        for name in PAIR_SETS:
            path = options.data / f"{name}.jsonl.gz"
            found = [similarity_spearman(model, path) for model in models]
            print(f"{name:28}", *(f"{value:7.3f}" for value in found))
    except NocturnaError as error:
        print(f"measure: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
