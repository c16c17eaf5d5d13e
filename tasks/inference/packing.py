"""Sequences end to end in one row, each attending to itself alone: no padding at all.

For GPUs: torch's variable-length flash attention does it in half precision. Elsewhere the same is
computed sequence by sequence, which is slow and shows what is right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, scaled_dot_product_attention
from transformers import AttentionInterface

from nocturna.tasks.inference import batches
from nocturna.tasks.inference.readout import head_logits

ATTENTION = "nocturna_packed"
"""Name under which transformers' layers find the attention of this module."""

_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Pack:
    """Sequences end to end.

    Attributes:
        ids, types, positions: shape (1, tokens); positions count from 0 in each sequence.
        bounds: where each sequence starts, and the end of the last; int32, shape (sequences + 1).
        longest: tokens of the longest sequence.
    """

    ids: Tensor
    types: Tensor
    positions: Tensor
    bounds: Tensor
    longest: int

    @property
    def starts(self) -> Tensor:
        return self.bounds[:-1].long()

    @property
    def lengths(self) -> Tensor:
        return self.bounds.diff().long()


def pack(batch: list[batches.Sequence], device: torch.device) -> Pack:
    """Sequences end to end, on the device."""
    lengths = np.array([len(item.ids) for item in batch], dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    types = [np.zeros_like(s.ids) if s.types is None else s.types for s in batch]
    rows = (
        np.concatenate([item.ids for item in batch]),
        np.concatenate(types),
        np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths),
    )
    ids, kinds, positions = (to_device(row.astype(np.int64)[None], device) for row in rows)
    starts = to_device(bounds.astype(np.int32), device)
    return Pack(ids, kinds, positions, starts, int(lengths.max()))


def to_device(array: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """A copy on the device; to a GPU from pinned memory, so that the host need not wait for it."""
    values = torch.from_numpy(array)
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


class PackedLogits(nn.Module):
    """Logits of a BERT or RoBERTa classifier, shape (sequences, labels), in float32.

    The last layer is computed for the first position of each sequence alone.
    """

    def __init__(self, network: Any, bare: Any) -> None:
        super().__init__()
        self.network, self.bare = network, bare
        network.set_attn_implementation(ATTENTION)

    def forward(self, batch: Pack) -> Tensor:
        return self.finish(_begun(self.bare, 0, batch), batch, 0)

    def finish(self, states: Tensor, batch: Pack, after: int) -> Tensor:
        """The logits from the states after so many layers."""
        layers = list(self.bare.encoder.layer[after:])
        states = _through(layers[:-1], states, batch)
        first = states[0][batch.starts]
        for last in layers[-1:]:
            first = _last_layer(last, states, batch)
        return head_logits(self.network, self.bare, first[:, None])


class PackedEmbedding(nn.Module):
    """Unit-length embeddings of a BERT or RoBERTa encoder, shape (sequences, width)."""

    def __init__(self, network: Any, pooling: str) -> None:
        super().__init__()
        self.bare, self.pooling = network, pooling
        network.set_attn_implementation(ATTENTION)

    def forward(self, batch: Pack) -> Tensor:
        return self.finish(_begun(self.bare, 0, batch), batch, 0)

    def finish(self, states: Tensor, batch: Pack, after: int) -> Tensor:
        """The embeddings from the states after so many layers."""
        states = _through(self.bare.encoder.layer[after:], states, batch)[0].float()
        if self.pooling == "cls":
            return normalize(states[batch.starts], dim=-1)
        pooled = torch.segment_reduce(states, self.pooling, lengths=batch.lengths)
        return normalize(pooled, dim=-1)


class PackedTogether(nn.Module):
    """The outputs of several packed networks, side by side, shape (sequences, sum of widths).

    The layers that they begin with, which are the same in each, are computed once.
    """

    def __init__(self, readings: Sequence[Any], shared: int) -> None:
        super().__init__()
        self.readings, self.shared = nn.ModuleList(readings), shared

    def forward(self, batch: Pack) -> Tensor:
        bare: Any = self.readings[0].bare
        states = _begun(bare, self.shared, batch)
        found = [one.finish(states, batch, self.shared) for one in self.readings]
        return torch.cat(found, dim=-1)


def attend(
    query: Tensor, key: Tensor, value: Tensor, of: Tensor, to: Tensor, longest: tuple[int, int]
) -> Tensor:
    """Attention within sequences that lie end to end.

    Args:
        query: shape (query tokens, heads, width).
        key, value: shape (tokens, heads, width).
        of, to: bounds of the sequences among the queries and among the keys.
        longest: tokens of the longest sequence of each.

    Returns:
        Shape (query tokens, heads, width).
    """
    if query.is_cuda and query.dtype in _HALF:
        from torch.nn.attention.varlen import varlen_attn

        together = varlen_attn(query, key, value, of, to, *longest)
        assert isinstance(together, Tensor)
        return together
    found = torch.empty_like(query)
    for a, b, c, d in zip(of[:-1], of[1:], to[:-1], to[1:], strict=True):
        q, k, v = (x.transpose(0, 1) for x in (query[a:b], key[c:d], value[c:d]))
        found[a:b] = scaled_dot_product_attention(q, k, v).transpose(0, 1)
    return found


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    batch: Pack,
    **_: Any,
) -> tuple[Tensor, None]:
    """What a transformers layer calls; tensors of shape (1, heads, tokens, width)."""
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    found = attend(q, k, v, batch.bounds, batch.bounds, (batch.longest, batch.longest))
    return found[None], None


AttentionInterface.register(ATTENTION, _attention)


def _begun(bare: Any, layers: int, batch: Pack) -> Tensor:
    """Hidden states after so many layers, shape (1, tokens, width)."""
    states: Tensor = bare.embeddings(
        input_ids=batch.ids, token_type_ids=batch.types, position_ids=_positions(bare, batch)
    )
    return _through(bare.encoder.layer[:layers], states, batch)


def _through(layers: Iterable[Any], states: Tensor, batch: Pack) -> Tensor:
    for layer in layers:
        states = layer(states, None, batch=batch)
    return states


def _positions(bare: Any, batch: Pack) -> Tensor:
    """Position ids; RoBERTa's start after its padding, and pass over a padding token in a text."""
    padding = getattr(bare.embeddings, "padding_idx", None)
    if padding is None:
        return batch.positions
    counted = batch.ids != padding
    before = counted.cumsum(1)
    started = (before - counted.long())[0, batch.starts].repeat_interleave(batch.lengths)
    return (before - started) * counted + padding


def _last_layer(layer: Any, states: Tensor, batch: Pack) -> Tensor:
    """A layer's output at the first position of each sequence, shape (sequences, width)."""
    attention = layer.attention.self
    shape = (-1, attention.num_attention_heads, attention.attention_head_size)
    rows = states[0]
    first = rows[batch.starts]
    ones = torch.arange(len(first) + 1, dtype=torch.int32, device=rows.device)
    query, key, value = (
        part(x).view(shape)
        for part, x in (
            (attention.query, first),
            (attention.key, rows),
            (attention.value, rows),
        )
    )
    found = attend(query, key, value, ones, batch.bounds, (1, batch.longest))
    attended = layer.attention.output(found.flatten(1), first)
    output: Tensor = layer.output(layer.intermediate(attended), attended)
    return output
