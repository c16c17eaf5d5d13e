"""A sentence-embedding encoder in the sentence-transformers layout, run by transformers.

Source: Reimers and Gurevych 2019, "Sentence-BERT".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.batches import Network
from nocturna.tasks.inference.facts import network_facts, tokenizer_facts
from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.inference.model_config import refuse_other_network
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.passes import Pass, network_of, read_windows
from nocturna.tasks.inference.recipe import Recipe, read_recipe
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.tokens import TextTokenizer, load_tokenizer


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder."""

    own: Pass
    network: Network
    recipe: Recipe

    @property
    def tokenizer(self) -> TextTokenizer:
        return self.own.tokenizer

    def embed(self, texts: list[Ids], run: Running) -> NDArray[np.float32]:
        """Unit-length embeddings of texts that fit the window, shape (texts, width)."""
        return read_windows(self.tokenizer, self.network, texts, run)


@dataclass(frozen=True)
class EncoderDescription:
    """What a sentence encoder is, told without reading the weights of its network.

    Attributes:
        unused: names of weights in its file that it has no place for.
    """

    recipe: Recipe
    tokenizer: TextTokenizer
    unused: tuple[str, ...]


@cache
def describe_encoder(ref: ModelRef, prompt: str | None = None) -> EncoderDescription:
    """Makes sure that an encoder can be loaded as its authors meant, and says what it is.

    Args:
        ref: the model.
        prompt: what the job wants read before every text, as `read_recipe` takes it.

    Raises:
        UsageError: it asks for what is not supported, or its parts do not belong together.
    """
    recipe = read_recipe(ref, prompt)
    refuse_other_network(ref, head=False)
    network = network_facts(ref, head=False)
    tokenizer = load_tokenizer(ref, False, recipe.lower, recipe.prompt)
    if recipe.window is not None:  # the folder's own window counts, whatever its tokenizer says
        window = min(recipe.window, network.positions or max(recipe.window, tokenizer.window))
        tokenizer = replace(tokenizer, window=window)
    if any(part.kind != "Normalize" for part in recipe.projections):  # which fits anything
        from nocturna.tasks.inference.pooling import check_projections

        check_projections(ref, recipe.projections, len(recipe.pooling) * (network.width or 0))
    return EncoderDescription(recipe, tokenizer, network.unused)


def encoder_pass(ref: ModelRef, prompt: str | None = None) -> Pass:
    """How a sentence encoder reads texts.

    Args:
        ref: the model.
        prompt: what the job wants read before every text, as `read_recipe` takes it.

    Raises:
        UsageError: as `describe_encoder`.
    """
    found = describe_encoder(ref, prompt)
    tokenizer, recipe = found.tokenizer, found.recipe
    capacity = tokenizer.room(ref)
    width = network_facts(ref, head=False).width if _is_plain(recipe) else None
    return Pass(ref, _embedding(ref, prompt), tokenizer, capacity, width)


def load_encoder(
    ref: ModelRef, run: Running, prompt: str | None = None, beside: Sequence[Pass] = ()
) -> Encoder:
    """Loads a sentence encoder with its tokenizer and its own recipe.

    Args:
        ref: the model.
        run: how to run.
        prompt: what the job wants read before every text, as `read_recipe` takes it.
        beside: passes that may be made in one with the encoder's own.

    Raises:
        UsageError: it cannot be loaded, or uses a module that is not supported.
    """
    own = encoder_pass(ref, prompt)
    return Encoder(own, network_of(own, beside, run), describe_encoder(ref, prompt).recipe)


@cache
def _embedding(ref: ModelRef, prompt: str | None = None) -> Reading:
    recipe = read_recipe(ref, prompt)
    skipped = 0
    if not recipe.pools_prompt:
        skipped = tokenizer_facts(ref, False, recipe.lower, recipe.prompt).prompt_tokens
    plain = _is_plain(recipe) and not skipped
    names = [*recipe.pooling, *(part.kind for part in recipe.projections)]
    name = f"embedding {' '.join(names)}" + (f" from {skipped}" if skipped else "")

    def wrap(network: Any) -> Any:
        from nocturna.tasks.inference.pooling import load_projections
        from nocturna.tasks.inference.readout import Embedding

        projections = load_projections(ref, recipe.projections)
        return Embedding(network, recipe.pooling, skipped, projections).eval()

    def pack(network: Any) -> Any:
        from nocturna.tasks.inference.readout import packed_encoder

        return packed_encoder(network, recipe.pooling[0]) if plain else None

    return Reading(name, head=False, wrap=wrap, pack=pack)


def _is_plain(recipe: Recipe) -> bool:
    """Whether an embedding is pooled in one way and not worked on any further."""
    return not recipe.projections and len(recipe.pooling) == 1
