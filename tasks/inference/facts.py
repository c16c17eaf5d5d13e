"""What transformers finds in a model's files, kept on disk: a later process need not import it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from nocturna.tasks.cached import cached_at, keep_cached, read_cached
from nocturna.tasks.inference.frames import Frame
from nocturna.tasks.inference.models import ModelRef

KEPT_FACTS = 3
"""Version of what is kept of a model; part of its address."""


@dataclass(frozen=True)
class NetworkFacts:
    """What a network is and takes.

    Attributes:
        model_type: the architecture, as transformers names it.
        vocabulary: rows of its table of token embeddings; None where it has no such table.
        segments: rows of its table of segment embeddings; None where it has none.
        takes_types: whether it can be given segment ids.
        positions: tokens that it has position embeddings for, or says it was made for; None where
            it does not say.
        width: of a hidden state; None where its configuration does not say.
        landmark: the token at whose last place its head reads; None for most networks.
        unused: names of weights in the file that the network has no place for.
    """

    model_type: str
    vocabulary: int | None
    segments: int | None
    takes_types: bool
    positions: int | None
    width: int | None
    landmark: int | None
    unused: tuple[str, ...]


@dataclass(frozen=True)
class TokenizerFacts:
    """What scoring needs of a tokenizer.

    Attributes:
        tokenizer: its JSON, as the library `tokenizers` reads it; it neither cuts nor pads. None
            for one that only transformers can run.
        pad_id: token that fills up a batch.
        window: tokens that the model can read at once, special tokens included.
        uses_types: whether the model is given segment ids.
        unknown_id: what stands for text that the tokenizer does not know; None if it has none.
        single, pair: special tokens around one text and around two; no pair for some tokenizers.
        prompt_tokens: tokens at the start of a sequence that are those of the prompt.
        keeps_end: whether the beginning goes where a text is truncated.
    """

    tokenizer: str | None
    pad_id: int
    window: int
    uses_types: bool
    unknown_id: int | None
    single: Frame
    pair: Frame | None
    prompt_tokens: int
    keeps_end: bool


Facts = TypeVar("Facts", NetworkFacts, TokenizerFacts)


@lru_cache(maxsize=32)
def network_facts(ref: ModelRef, head: bool) -> NetworkFacts:
    """What a model's network is: with its classification head, or the bare encoder.

    Raises:
        UsageError: its weights are broken, or are not those of the network that it describes.
    """

    def read() -> NetworkFacts:
        from nocturna.tasks.inference.outline import read_network

        return read_network(ref, head)

    return _kept(_network_at(ref, head), NetworkFacts, read)


@lru_cache(maxsize=32)
def tokenizer_facts(ref: ModelRef, head: bool, lower: bool, prompt: str) -> TokenizerFacts:
    """What a model's tokenizer is, and how it goes with the model's network.

    Args:
        ref: the model.
        head: whether its network is a classifier or a bare encoder.
        lower: whether texts are put in lower case first, whatever the tokenizer itself does.
        prompt: what is read before every text.

    Raises:
        UsageError: it cannot be loaded, or does not belong to the network.
    """

    def read() -> TokenizerFacts:
        from nocturna.tasks.inference.tokenizer_files import read_tokenizer

        return read_tokenizer(ref, network_facts(ref, head), lower, prompt)

    place = cached_at("tokenizers", [ref.revision, head, lower, prompt, KEPT_FACTS, _versions()])
    return _kept(place, TokenizerFacts, read)


def was_used(ref: ModelRef) -> bool:
    """Whether a model was loaded on this machine before, or comes prepared."""
    return any(read_cached(_network_at(ref, head)) is not None for head in (True, False))


def _network_at(ref: ModelRef, head: bool) -> Path:
    return cached_at("networks", [ref.revision, head, KEPT_FACTS, _versions()])


def _versions() -> list[str]:
    return [version("transformers"), version("tokenizers")]


def _kept(place: Path, kind: type[Facts], read: Callable[[], Facts]) -> Facts:
    data = read_cached(place)
    if data is not None:
        try:
            return TypeAdapter(kind).validate_json(data)
        except ValidationError:
            pass  # another version's; what is kept can be found out again
    found = read()
    keep_cached(place, json.dumps(asdict(found)).encode())
    return found
