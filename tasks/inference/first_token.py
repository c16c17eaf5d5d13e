"""Networks of which only the first token's last state is read, without the work for the others.

From the attention of the last layer on, each token goes its own way through linear layers and
norms: what nobody reads need not be computed, and no score changes by that.
"""

import copy
from typing import Any

from torch import Tensor, nn

_BLOCKS = frozenset(
    {"bert", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "electra", "ernie"}
    | {"megatron-bert", "mpnet", "rembert", "roberta", "roberta-prelayernorm", "roformer"}
    | {"xlm-roberta", "xlm-roberta-xl"}
)
"""Model types whose layers are an attention with its residual, and a feed-forward after it."""


def reads_first_token(network: Any) -> bool:
    """Whether a classifier's head looks at nothing but the first token, in a way known here."""
    kind = network.config.model_type
    if kind == "modernbert":
        return bool(network.config.classifier_pooling == "cls")
    return kind in _BLOCKS or kind == "distilbert"


def first_token_only(network: Any) -> Any:
    """The network with the last layer's output at the first token alone, shape (batch, 1, width).

    The weights are shared with the network, which stays as it is. It is given back itself where
    its architecture is not known, or where its layers do more than read one another.
    """
    kind = network.config.model_type
    known = kind in _BLOCKS or kind in ("distilbert", "modernbert")
    if not known or getattr(network.config, "is_decoder", False):
        return network
    if network.config.num_hidden_layers < 2:  # DeBERTa convolves its first layer with its input
        return network
    shared = [*network.parameters(), *network.buffers()]
    made = copy.deepcopy(network, {id(tensor): tensor for tensor in shared})
    bare = made.base_model
    if kind in _BLOCKS:
        _narrow_block(bare.encoder.layer[-1].attention)
    elif kind == "distilbert":
        bare.transformer.layer[-1].sa_layer_norm.register_forward_pre_hook(_first_of_inputs)
    else:
        bare.layers[-1] = _ModernBertLayer(bare.layers[-1])
    return made


def _narrow_block(attention: nn.Module) -> None:
    if hasattr(attention, "output"):
        attention.output.register_forward_pre_hook(_first_of_inputs)
    else:
        attention.register_forward_hook(_first_of_outputs)


def _first_of_inputs(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(states[:, :1] for states in given)


def _first_of_outputs(_: nn.Module, __: Any, given: tuple[Tensor, ...]) -> tuple[Any, ...]:
    return (given[0][:, :1], *given[1:])


class _ModernBertLayer(nn.Module):
    """A layer whose residual goes around the attention and not through it."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer, self.attention_type = layer, layer.attention_type

    def forward(self, hidden_states: Tensor, **given: Any) -> Tensor:
        attended, _ = self.layer.attn(self.layer.attn_norm(hidden_states), **given)
        states = hidden_states[:, :1] + attended[:, :1]
        found: Tensor = states + self.layer.mlp(self.layer.mlp_norm(states))
        return found
