"""A sentence-embedding encoder in the sentence-transformers layout, run by transformers.

Source: Reimers and Gurevych 2019, "Sentence-BERT".
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.inference.backends import Reading, load_backend
from tasks.inference.batches import Backend, run_batches
from tasks.inference.classifier import frame_sequence
from tasks.inference.model_config import Recipe, read_recipe
from tasks.inference.models import ModelRef
from tasks.inference.running import Running
from tasks.inference.tokens import Ids, TextTokenizer, load_tokenizer


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
    def wrap(network: Any) -> Any:
        from tasks.inference.reading import Embedding

        return Embedding(network, pooling).eval()

    def pack(network: Any) -> Any:
        from tasks.inference.reading import packed_encoder

        return packed_encoder(network, pooling)

    return Reading(f"embedding {pooling}", head=False, wrap=wrap, pack=pack)
