"""What the benchmarks run on: a corpus in its natural order, and networks of random weights."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    ModernBertConfig,
    XLMRobertaConfig,
)

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


def _deberta(**own: Any) -> DebertaV2Config:
    attention = {"position_buckets": 256, "pos_att_type": ["p2c", "c2p"], "share_att_key": True}
    read = {"relative_attention": True, "position_biased_input": False, "type_vocab_size": 0}
    size = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
    shape = size | {"intermediate_size": 3072, "norm_rel_ebd": "layer_norm"} | own
    return DebertaV2Config(**attention, **read, **shape)


def _modern(**own: Any) -> ModernBertConfig:
    special = {"bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
    return ModernBertConfig(**special, **own)


def _roberta(**own: Any) -> XLMRobertaConfig:
    return XLMRobertaConfig(max_position_embeddings=514, type_vocab_size=1, **own)


NETWORKS: dict[str, Callable[..., Any]] = {
    "BERT-base": BertConfig,
    "ModernBERT-base": _modern,
    "DeBERTa-v3-base": _deberta,
    "XLM-R-base": _roberta,
}
"""The published shapes of some networks, as configs; their vocabulary is the benchmarks' own."""


def base_model(
    folder: Path,
    texts: Iterable[str],
    network: str = "BERT-base",
    labels: Sequence[str] = NLI,
    **shape: int,
) -> Path:
    """Saves a network of random weights, of the shape that its name is published with.

    Its tokenizer (vocabulary 31,002, pad id 1 as BETO's) is learnt from the first of `texts`. Speed
    does not depend on the weights; what the scores are, and how far a precision is from fp32, does.
    """
    folder.mkdir(parents=True)
    wordpiece(folder, window=512, texts=islice(texts, TOKENIZER_TEXTS), size=VOCABULARY)
    if network != "BERT-base":
        inputs = ["input_ids", "attention_mask"]
        AutoTokenizer.from_pretrained(folder, model_input_names=inputs).save_pretrained(folder)
    torch.manual_seed(0)
    config = NETWORKS[network](
        vocab_size=VOCABULARY,
        pad_token_id=1,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        **shape,
    )
    AutoModelForSequenceClassification.from_config(config).eval().save_pretrained(folder)
    return folder


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a JSONL file, plain or gzipped."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def first_of(*paths: Path) -> Path:
    """The first of the files that is there."""
    return next(path for path in paths if path.is_file())
