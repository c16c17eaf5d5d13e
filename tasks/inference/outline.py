"""What a network is, told without reading its weights: planning refuses what scoring would."""

import inspect
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from nocturna.tasks.inference.architectures import landmark
from nocturna.tasks.inference.facts import NetworkFacts
from nocturna.tasks.inference.model_config import weight_files
from nocturna.tasks.inference.models import SAFETENSORS, ModelRef
from nocturna.tasks.inference.networks import (
    load_config,
    network_class,
    refuse_cut,
    refuse_incomplete,
    unloadable,
)


def read_network(ref: ModelRef, head: bool) -> NetworkFacts:
    """Builds a model's network around empty weights of the shapes in its file, and looks at it.

    Args:
        ref: the model.
        head: with its classification head, or the bare encoder.

    Raises:
        UsageError: the weights are broken, or are not those of the network.
    """
    network_type, config = network_class(ref, head), load_config(ref)
    try:
        network, report = network_type.from_pretrained(
            None,
            config=config,
            state_dict=_empty_weights(ref),
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:  # safetensors, torch and transformers each raise their own
        raise unloadable(ref, error) from None
    refuse_incomplete(ref, report, head)
    refuse_cut(ref, report["unexpected_keys"], network)
    tokens = network.get_input_embeddings()
    segments = [
        table
        for name, table in network.named_modules()
        if isinstance(table, nn.Embedding) and name.endswith("token_type_embeddings")
    ]
    return NetworkFacts(
        model_type=config.model_type,
        vocabulary=tokens.num_embeddings if isinstance(tokens, nn.Embedding) else None,
        segments=segments[0].num_embeddings if segments else None,
        takes_types="token_type_ids" in inspect.signature(network.forward).parameters,
        positions=_positions(network),
        width=getattr(config, "hidden_size", None),
        landmark=landmark(config) if head else None,
        unused=tuple(sorted(report["unexpected_keys"])),
    )


def _positions(network: Any) -> int | None:
    """Tokens that fit the table of positions; RoBERTa's begins after the id of the padding."""
    found = getattr(network.config, "max_position_embeddings", None)
    if not isinstance(found, int) or found <= 0:
        return None
    for name, table in network.named_modules():
        if isinstance(table, nn.Embedding) and name.endswith("position_embeddings"):
            if table.padding_idx is not None:
                return table.num_embeddings - table.padding_idx - 1
            return min(found, table.num_embeddings)
    return found


def _empty_weights(ref: ModelRef) -> dict[str, torch.Tensor]:
    """A tensor of each shape in the weights, all of one zero and so without memory."""
    found: dict[str, tuple[int, ...]] = {}
    zero = torch.zeros(())
    for path in weight_files(ref):
        if ref.weights == SAFETENSORS:
            with safe_open(path, "pt") as file:
                names = file.keys()
                found |= {name: tuple(file.get_slice(name).get_shape()) for name in names}
        else:
            stored = torch.load(path, map_location="meta", weights_only=True)
            found |= {key: tuple(values.shape) for key, values in stored.items()}
    return {key: zero.expand(shape) for key, shape in found.items()}
