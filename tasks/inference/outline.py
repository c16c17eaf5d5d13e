"""What a network is, told without reading its weights: planning refuses what scoring would."""

import inspect
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.architectures import landmark
from nocturna.tasks.inference.facts import NetworkFacts
from nocturna.tasks.inference.model_config import weight_files
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.networks import (
    load_config,
    network_class,
    refuse_cut,
    refuse_incomplete,
    unloadable,
)
from nocturna.tasks.inference.weight_formats import SAFETENSORS


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
        tokens = network.get_input_embeddings()
    except UsageError:
        raise
    except Exception as error:  # safetensors, torch and transformers each raise their own
        raise unloadable(ref, error) from None
    if network.main_input_name == "pixel_values":
        raise UsageError(f"model {ref.name}: its network reads images, not texts")
    refuse_incomplete(ref, report, head)
    refuse_cut(ref, report["unexpected_keys"], network)
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
        try:
            found |= _shapes(path, ref.weights)
        except (UnpicklingError, AttributeError, SafetensorError) as error:
            if isinstance(error, SafetensorError):
                reason = f"is cut off or corrupt ({error}); copy it again"
            else:
                reason = "holds more than weights by name; save the model with save_pretrained"
            raise UsageError(f"model {ref.name}: cannot be loaded: {path} {reason}") from None
    return {key: zero.expand(shape) for key, shape in found.items()}


def _shapes(path: Path, format: str) -> dict[str, tuple[int, ...]]:
    if format == SAFETENSORS:
        with safe_open(path, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    stored = torch.load(path, map_location="meta", weights_only=True)
    return {key: tuple(values.shape) for key, values in stored.items()}
