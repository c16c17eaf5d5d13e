"""What is read off a network: logits or an embedding, and no more computed than that needs.

Most classifiers, and encoders that pool by [CLS], read one position. Where the architecture is
known, the last layer's attention output and feed-forward are computed for that position alone,
which changes no score; for BERT and RoBERTa classifiers its queries too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, scaled_dot_product_attention

from nocturna.tasks.inference.architectures import MASKLESS
from nocturna.tasks.inference.first_token import first_token_only, reads_first_token
from nocturna.tasks.inference.pooling import pool

FIRST_POSITION_ARCHITECTURES = {
    "BertForSequenceClassification": "bert",
    "RobertaForSequenceClassification": "roberta",
    "XLMRobertaForSequenceClassification": "roberta",
    "CamembertForSequenceClassification": "roberta",
}
"""Architectures of which `FirstPosition` knows the parts: name of the bare network in each."""


class Logits(nn.Module):
    """A classifier's logits, shape (batch, labels), by the network's own forward pass."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        mask = _mask(self.network, input_ids, attention_mask)
        inputs = _given(token_type_ids=token_type_ids, attention_mask=mask)
        logits: Tensor = self.network(input_ids=input_ids, **inputs).logits
        return logits.float()


class FirstPosition(nn.Module):
    """The same logits of a BERT or RoBERTa classifier, the last layer reduced to one position."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.bare = getattr(network, FIRST_POSITION_ARCHITECTURES[_name(network)])

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        states = _begun(self.bare, 0, input_ids, token_type_ids, attention_mask)
        return self.finish(states, attention_mask, 0)

    def finish(self, states: Tensor, attention_mask: Tensor | None, after: int) -> Tensor:
        """The logits from the states after so many layers."""
        layers = list(self.bare.encoder.layer[after:])
        states = _through(layers[:-1], states, attention_mask)
        for last in layers[-1:]:
            states = _last_layer(last, states, _wide(attention_mask))
        return head_logits(self.network, self.bare, states[:, :1])


def head_logits(network: Any, bare: Any, states: Tensor) -> Tensor:
    """Logits of a BERT or RoBERTa classifier in float32, from states of shape (batch, 1, width)."""
    if bare.pooler is not None:
        states = bare.pooler(states)
    if hasattr(network, "dropout"):
        states = network.dropout(states)
    logits: Tensor = network.classifier(states)
    return logits.float()


class Embedding(nn.Module):
    """Unit-length embeddings, shape (batch, width), pooled from the last hidden states.

    The embedding is computed in the network's precision up to its states, and in fp32 from there.
    """

    def __init__(
        self,
        network: Any,
        pooling: tuple[str, ...],
        skipped: int = 0,
        projections: nn.Module | None = None,
    ) -> None:
        super().__init__()
        first = pooling == ("cls",) and not skipped
        self.bare, self.network = network, first_token_only(network) if first else network
        self.pooling, self.skipped = pooling, skipped
        self.projections = nn.Identity() if projections is None else projections

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        mask = _mask(self.network, input_ids, attention_mask)
        inputs = _given(token_type_ids=token_type_ids, attention_mask=mask)
        states = self.network(input_ids=input_ids, **inputs).last_hidden_state
        return self._pooled(states, attention_mask)

    def finish(self, states: Tensor, attention_mask: Tensor | None, after: int) -> Tensor:
        """The embeddings from the states after so many layers, where the layers are known."""
        states = _through(self.network.encoder.layer[after:], states, attention_mask)
        return self._pooled(states, attention_mask)

    def _pooled(self, states: Tensor, attention_mask: Tensor | None) -> Tensor:
        pooled = pool(states.float(), attention_mask, self.pooling, self.skipped)
        return normalize(self.projections(pooled), dim=-1)


class Together(nn.Module):
    """The outputs of several networks, side by side, shape (batch, sum of their widths).

    The layers that they begin with, which are the same in each, are computed once.
    """

    def __init__(self, readings: Sequence[Any], shared: int) -> None:
        super().__init__()
        self.readings, self.shared = nn.ModuleList(readings), shared

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        bare: Any = self.readings[0].bare
        states = _begun(bare, self.shared, input_ids, token_type_ids, attention_mask)
        found = [one.finish(states, attention_mask, self.shared) for one in self.readings]
        return torch.cat(found, dim=-1)


ENCODER_ARCHITECTURES = ("BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel")
"""Encoders of which `PackedEmbedding` knows the parts."""


def classifier_reading(network: Any) -> nn.Module:
    """The cheapest module that has a classifier's logits as its output."""
    if _is_known(network):
        return FirstPosition(network).eval()
    return Logits(first_token_only(network) if reads_first_token(network) else network).eval()


def packed_classifier(network: Any) -> nn.Module | None:
    """The same for packed sequences; None where the architecture's parts are not known."""
    if not _is_known(network):
        return None
    from nocturna.tasks.inference.packing import PackedLogits

    return PackedLogits(network, getattr(network, FIRST_POSITION_ARCHITECTURES[_name(network)]))


def packed_encoder(network: Any, pooling: str) -> nn.Module | None:
    """An encoder's embeddings of packed sequences; None where its parts are not known."""
    from nocturna.tasks.inference.packing import PackedEmbedding

    known = _name(network) in ENCODER_ARCHITECTURES and not _attends_elsewhere(network)
    known = known and pooling in {"cls", "max", "mean"}
    return PackedEmbedding(network, pooling) if known else None


def packed_together(readings: Sequence[Any], shared: int) -> nn.Module:
    """What `Together` gives, of packed readings."""
    from nocturna.tasks.inference.packing import PackedTogether

    return PackedTogether(readings, shared)


def _is_known(network: Any) -> bool:
    return _name(network) in FIRST_POSITION_ARCHITECTURES and not _attends_elsewhere(network)


def _attends_elsewhere(network: Any) -> bool:
    return bool(network.config.is_decoder or network.config.add_cross_attention)


def _name(network: Any) -> str:
    return type(network).__name__


def _begun(
    bare: Any, layers: int, ids: Tensor, types: Tensor | None, attention_mask: Tensor | None
) -> Tensor:
    """The states after so many layers."""
    states: Tensor = bare.embeddings(input_ids=ids, **_given(token_type_ids=types))
    return _through(bare.encoder.layer[:layers], states, attention_mask)


def _through(layers: Iterable[Any], states: Tensor, attention_mask: Tensor | None) -> Tensor:
    for layer in layers:
        states = _first(layer(states, _wide(attention_mask)))
    return states


def _wide(attention_mask: Tensor | None) -> Tensor | None:
    return None if attention_mask is None else attention_mask[:, None, None, :].bool()


def _last_layer(layer: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    attention = layer.attention.self
    heads, width = attention.num_attention_heads, attention.attention_head_size
    batch, first = states.shape[0], states[:, :1]

    def split(values: Tensor) -> Tensor:
        return values.view(batch, -1, heads, width).transpose(1, 2)

    context = scaled_dot_product_attention(
        split(attention.query(first)),
        split(attention.key(states)),
        split(attention.value(states)),
        attn_mask=mask,
    )
    joined = context.transpose(1, 2).reshape(batch, 1, heads * width)
    attended = layer.attention.output(joined, first)
    found: Tensor = layer.output(layer.intermediate(attended), attended)
    return found


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _mask(network: Any, ids: Tensor, mask: Tensor | None) -> Tensor | None:
    """The mask that a network wants; to some, none is not the same as one that hides nothing."""
    if mask is None and network.config.model_type not in MASKLESS:
        return torch.ones_like(ids)
    return mask


def _given(**inputs: Tensor | None) -> dict[str, Tensor]:
    return {name: value for name, value in inputs.items() if value is not None}
