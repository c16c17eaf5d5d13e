"""A model's tokenizer as transformers reads it from its folder: the only place that asks it."""

from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer

from tasks.errors import UsageError
from tasks.inference.models import ModelRef

_UNBOUNDED = 1_000_000
"""Tokenizers that were saved without a window claim one of about 1e30."""

_OFFSET_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "roberta-prelayernorm"}
)
"""Architectures whose position ids start after the pad id, which costs that many positions."""


@dataclass(frozen=True)
class TokenizerFacts:
    """What scoring needs of a tokenizer.

    Attributes:
        tokenizer: its JSON, as the library `tokenizers` reads it; it neither cuts nor pads.
        pad_id: token that fills up a batch.
        window: tokens that the model can read at once, special tokens included.
        uses_types: whether the model takes segment ids.
    """

    tokenizer: str
    pad_id: int
    window: int
    uses_types: bool


def read_tokenizer(ref: ModelRef) -> TokenizerFacts:
    """Reads the tokenizer of a model.

    Raises:
        UsageError: the model has no fast tokenizer, needs code of its own, or no window can be
            found.
    """
    offline: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(ref.folder, **offline)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}"
        ) from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(ref.folder, **offline)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"model {ref.name}: its tokenizer cannot be loaded: {reason}") from None
    if not tokenizer.is_fast:
        raise UsageError(f"model {ref.name}: its tokenizer has no fast (tokenizers) version")
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    pad_id = tokenizer.pad_token_id
    if pad_id is None:
        pad_id = getattr(config, "pad_token_id", None) or 0
    return TokenizerFacts(
        tokenizer=backend.to_str(),
        pad_id=pad_id,
        window=_window(tokenizer.model_max_length, config, ref.name),
        uses_types="token_type_ids" in tokenizer.model_input_names,
    )


def _window(claimed: int, config: Any, name: str) -> int:
    positions = getattr(config, "max_position_embeddings", None)
    if positions and getattr(config, "model_type", "") in _OFFSET_POSITIONS:
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    bounds = [n for n in (claimed, positions) if n and 0 < n < _UNBOUNDED]
    if not bounds:
        raise UsageError(
            f"model {name}: neither tokenizer nor config says how many tokens it can read; "
            "set model_max_length in its tokenizer_config.json"
        )
    return min(bounds)
