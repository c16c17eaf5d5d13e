"""A sentence-embedding encoder in the sentence-transformers layout, run by transformers.

Source: Reimers and Gurevych 2019, "Sentence-BERT".
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import UsageError
from tasks.inference.backends import Reading, load_backend
from tasks.inference.batches import Backend, run_batches
from tasks.inference.models import ModelRef
from tasks.inference.reading import Embedding, packed_encoder
from tasks.inference.running import Running
from tasks.inference.sequence_model import frame_sequence
from tasks.inference.tokens import Ids, TextTokenizer, load_tokenizer

DEFAULT_TEMPERATURE = 0.05


@dataclass(frozen=True)
class Recipe:
    """What a sentence-transformers folder says about its own use.

    Attributes:
        pooling: `mean`, `cls` or `max` over the token embeddings.
        window: most tokens the encoder was made for; None where the folder does not say.
        temperature: softmax temperature for cosine similarities.
    """

    pooling: str
    window: int | None
    temperature: float


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder."""

    ref: ModelRef
    backend: Backend
    tokenizer: TextTokenizer
    recipe: Recipe

    @property
    def capacity(self) -> int:
        """Tokens of a text that fit beside the special tokens."""
        window = min(self.tokenizer.window, self.recipe.window or self.tokenizer.window)
        return window - self.tokenizer.single.added

    def embed(self, texts: list[Ids], run: Running) -> NDArray[np.float32]:
        """Unit-length embeddings of texts that fit the window, shape (texts, width)."""
        lengths = np.array([len(ids) for ids in texts], dtype=np.int64)
        return run_batches(
            self.backend,
            lambda i: frame_sequence(self.tokenizer, (texts[i],)),
            lengths + self.tokenizer.single.added,
            run,
        )


def load_encoder(ref: ModelRef, run: Running) -> Encoder:
    """Loads a sentence encoder with its tokenizer and its own recipe.

    Raises:
        UsageError: it cannot be loaded, or uses a module that is not supported.
    """
    recipe = read_recipe(ref)
    tokenizer = load_tokenizer(ref)
    backend = load_backend(
        ref, _embedding(recipe.pooling), tokenizer.pad_id, tokenizer.uses_types, run
    )
    return Encoder(ref, backend, tokenizer, recipe)


@cache
def _embedding(pooling: str) -> Reading:
    return Reading(
        f"embedding {pooling}",
        head=False,
        wrap=lambda network: Embedding(network, pooling).eval(),
        pack=lambda network: packed_encoder(network, pooling),
    )


def read_recipe(ref: ModelRef) -> Recipe:
    """Reads pooling, window and temperature from a model folder; a plain encoder is mean-pooled.

    Raises:
        UsageError: the folder asks for a module or a pooling that is not supported.
    """
    folder = Path(ref.folder)
    modules = _read_json(folder / "modules.json") or []
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    unknown = [kind for kind in kinds if kind not in {"Transformer", "Pooling", "Normalize"}]
    if unknown:
        raise UsageError(
            f"model {ref.name}: its module {unknown[0]} is not supported; choose an encoder made "
            "of a transformer and pooling"
        )
    pooling = "mean"
    for module, kind in zip(modules, kinds, strict=True):
        if kind == "Pooling":
            settings = _read_json(folder / module["path"] / "config.json") or {}
            pooling = _pooling_mode(settings, ref)
    sentence = _read_json(folder / "sentence_bert_config.json") or {}
    general = _read_json(folder / "config_sentence_transformers.json") or {}
    return Recipe(
        pooling,
        sentence.get("max_seq_length"),
        float(general.get("similarity_temperature", DEFAULT_TEMPERATURE)),
    )


def _pooling_mode(settings: dict[str, Any], ref: ModelRef) -> str:
    names = {"mean_tokens": "mean", "cls_token": "cls", "max_tokens": "max", "mean": "mean"}
    prefix = "pooling_mode_"
    modes = [
        key.removeprefix(prefix) for key, on in settings.items() if on and key.startswith(prefix)
    ]
    modes = modes or [str(settings.get("pooling_mode", "mean"))]
    if len(modes) != 1 or names.get(modes[0], modes[0]) not in {"mean", "cls", "max"}:
        raise UsageError(f"model {ref.name}: its pooling {modes} is not supported")
    return names.get(modes[0], modes[0])


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
