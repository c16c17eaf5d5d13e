"""From token embeddings to one embedding a text, by the modules of a sentence-transformers folder.

Source: Reimers and Gurevych 2019, "Sentence-BERT", and the package's own modules.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.recipe import Projection


class Normalize(nn.Module):
    """Unit length."""

    def forward(self, embedding: Tensor) -> Tensor:
        return normalize(embedding, dim=-1)


class Truncate(nn.Module):
    """The first numbers of an embedding."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding[..., : self.width]


class Dense(nn.Module):
    """A linear layer, its activation, and its input added where the folder says so.

    Parts have the names of the package's own, as their weights are loaded by name.
    """

    def __init__(self, part: Projection):
        super().__init__()
        width, made = part.sizes
        self.linear = nn.Linear(width, made, bias=part.bias)
        self.activation_function = getattr(nn, part.activation)()
        self.residual: nn.Module | None = None
        if part.residual:
            self.residual = nn.Identity() if width == made else nn.Linear(width, made, bias=False)

    def forward(self, embedding: Tensor) -> Tensor:
        found: Tensor = self.activation_function(self.linear(embedding))
        return found if self.residual is None else found + self.residual(embedding)


def load_projections(ref: ModelRef, projections: tuple[Projection, ...]) -> nn.Module:
    """The modules after the pooling, with their weights, in fp32.

    Raises:
        UsageError: weights that are missing or do not fit.
    """
    return nn.Sequential(*(_load(ref, part) for part in projections)).eval().requires_grad_(False)


def check_projections(ref: ModelRef, projections: tuple[Projection, ...], width: int) -> None:
    """Runs the modules on an embedding of zeros, so that what does not fit is known at once.

    Raises:
        UsageError: as `load_projections`, or a width that is not the one before it.
    """
    try:
        load_projections(ref, projections)(torch.zeros(1, width))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"model {ref.name}: its modules do not fit together: {reason}") from None


def pool(states: Tensor, mask: Tensor | None, modes: tuple[str, ...], skipped: int = 0) -> Tensor:
    """One vector a text from its token embeddings.

    Args:
        states: shape (batch, tokens, width).
        mask: 1 for tokens, 0 for padding, which is on the right; None where there is none.
        modes: a vector of each, end to end.
        skipped: tokens at the start of each sequence that are not pooled.

    Returns:
        Shape (batch, modes x width).
    """
    states = states[:, skipped:]
    mask = torch.ones_like(states[..., 0]) if mask is None else mask[:, skipped:].to(states.dtype)
    return torch.cat([_pool(states, mask, mode, skipped) for mode in modes], dim=-1)


def _pool(states: Tensor, mask: Tensor, mode: str, skipped: int) -> Tensor:
    weights = mask.unsqueeze(-1)
    if mode == "cls":
        return states[:, 0]
    if mode == "max":
        return states.masked_fill(weights == 0, float("-inf")).amax(dim=1)
    if mode == "lasttoken":
        last = (mask.sum(dim=1).long() - 1).clamp(min=0)
        return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[-1])).squeeze(1)
    if mode == "weightedmean":
        weights = weights * (mask.cumsum(1) + skipped).unsqueeze(-1)
    total = weights.sum(dim=1).clamp(min=1e-9)
    if mode == "mean_sqrt_len_tokens":
        total = total.sqrt()
    return (states * weights).sum(dim=1) / total


def _load(ref: ModelRef, part: Projection) -> nn.Module:
    if part.kind == "Normalize":
        return Normalize()
    if part.kind == "Truncate":
        return Truncate(*part.sizes)
    weights = _weights(ref, part)
    try:
        if part.kind == "LayerNorm":
            norm = nn.LayerNorm(*part.sizes)
            norm.load_state_dict({k.removeprefix("norm."): v for k, v in weights.items()})
            return norm
        dense = Dense(part)
        dense.load_state_dict(weights)
        return dense
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"model {ref.name}: its module {part.kind} cannot be made of its files: {reason}"
        ) from None


def _weights(ref: ModelRef, part: Projection) -> dict[str, Tensor]:
    folder = Path(part.folder)
    found: Any
    try:
        if (folder / "model.safetensors").is_file():
            found = load_file(folder / "model.safetensors")
        else:
            found = torch.load(folder / "pytorch_model.bin", weights_only=True, map_location="cpu")
    except Exception as error:  # safetensors and torch each raise their own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"model {ref.name}: the weights of its module {part.kind} cannot be loaded: {reason}"
        ) from None
    return {key: values.float() for key, values in found.items()}
