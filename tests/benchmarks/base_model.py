"""What the benchmarks run on: a corpus in its natural order, and a BERT-base of random weights."""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

from tests.models import NLI, wordpiece

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "data" / "samples" / "opiniones.jsonl"
VOCABULARY = 31_002
TOKENIZER_TEXTS = 30_000


def documents(data: Path = SHARED) -> Iterator[str]:
    """Paragraphs of the speeches corpus as they come, or the bundled sample where it is missing."""
    for row in rows(first_of(data / "load" / "speeches-es.jsonl.gz", SAMPLE)):
        yield row["text"]


def excerpt(count: int, skip: int = 20_000) -> list[str]:
    """Consecutive documents from the middle of the corpus; fewer where there are not as many."""
    found = list(islice(documents(), skip + count))
    return found[-count:]


def bert_base(
    folder: Path,
    texts: Iterable[str],
    layers: int = 12,
    labels: Sequence[str] = NLI,
) -> Path:
    """Saves a BERT-base (12 x 768, vocabulary 31,002, pad id 1 as BETO's) of random weights.

    Its tokenizer is learnt from the first of `texts`. Speed does not depend on the weights; what
    the scores are, and how far a precision is from fp32, does.
    """
    folder.mkdir(parents=True)
    wordpiece(folder, window=512, texts=islice(texts, TOKENIZER_TEXTS), size=VOCABULARY)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        num_hidden_layers=layers,
        pad_token_id=1,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    return folder


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a JSONL file, plain or gzipped."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def first_of(*paths: Path) -> Path:
    """The first of the files that is there."""
    return next(path for path in paths if path.is_file())
