"""Loading networks from a model folder: whole, safely, locally, without foreign code."""

import functools
import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from transformers.models.auto.auto_factory import _get_model_class
from transformers.utils import logging as transformers_logging

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.architectures import refusal
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.weight_formats import SAFETENSORS

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

_BARE_ENCODERS = {
    "t5": "T5EncoderModel",
    "mt5": "MT5EncoderModel",
    "umt5": "UMT5EncoderModel",
    "longt5": "LongT5EncoderModel",
}
"""Encoder-decoders of which a sentence encoder uses the encoder alone."""

_CONSTANTS = re.compile(r"(inv_freq|masked_bias|position_ids|(attn|attention)\.bias)$")
"""What older checkpoints hold in their layers and networks work out for themselves."""

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()

for _head in heads().values():
    if hasattr(_head, "NETWORKS"):
        import_module(_head.NETWORKS)


@lru_cache(maxsize=16)
def load_config(ref: ModelRef) -> Any:
    """The transformers configuration of a model; shared by all that read it.

    Raises:
        UsageError: the folder has none, it needs code of its own, or its architecture cannot score
            texts.
    """
    try:
        config = AutoConfig.from_pretrained(
            ref.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # also what transformers' own checks of the values raise
        raise unloadable(ref, error) from None
    quantised = getattr(config, "quantization_config", None)
    if quantised is not None:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        raise UsageError(
            f"model {ref.name}: its weights are quantised ({method or 'no method named'}; "
            "quantization_config in its config.json), which is not read; choose the model in fp32, "
            "fp16 or bf16"
        )
    reason = refusal(config.model_type)
    if reason is not None:
        raise UsageError(
            f"model {ref.name}: its architecture {config.model_type} {reason}, so it cannot score "
            "texts alone; choose another model"
        )
    return config


def network_class(ref: ModelRef, head: bool) -> Any:
    """The class of a model's network: with its classification head, or the bare encoder.

    Raises:
        UsageError: transformers has none for this model.
    """
    config = load_config(ref)
    if not head and config.model_type in _BARE_ENCODERS:
        return getattr(transformers, _BARE_ENCODERS[config.model_type])
    family = AutoModelForSequenceClassification if head else AutoModel
    if type(config) not in family._model_mapping:
        kind = "sequence classification" if head else "encoding sentences"
        raise UsageError(
            f"model {ref.name}: its architecture {config.model_type} is not one for {kind}; choose "
            "another model"
        )
    return _get_model_class(config, family._model_mapping)


_loading = Lock()


def load_network(ref: ModelRef, head: bool, precision: str, device: str) -> Any:
    """A model ready to run; kept for the life of the process and shared by its threads.

    Args:
        ref: what to load.
        head: with its classification head, or the bare encoder.
        precision: a key of PRECISIONS.
        device: where it runs: `cpu`, `cuda` or `mps`.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    with _loading:
        return _load(ref, head, precision, device)


def forget_networks() -> None:
    """Lets go of every network that was loaded."""
    _load.cache_clear()


@lru_cache(maxsize=8)
def _load(ref: ModelRef, head: bool, precision: str, device: str) -> Any:
    network_type = network_class(ref, head)
    try:
        network, report = network_type.from_pretrained(
            ref.folder,
            dtype=PRECISIONS[precision],
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=ref.weights == SAFETENSORS,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
        )
    except Exception as error:  # safetensors, torch and transformers each raise their own
        raise unloadable(ref, error) from None
    refuse_incomplete(ref, report, head)
    return _steadied(network.eval().requires_grad_(False).to(device))


def refuse_incomplete(ref: ModelRef, report: dict[str, Any], head: bool) -> None:
    """Refuses a network of which a parameter does not come from the file.

    transformers fills such parameters with random numbers. A pooler that nothing reads is the one
    exception: encoders are read before it.

    Args:
        report: what transformers says of the loading.

    Raises:
        UsageError: parameters are missing, or have another shape than the file's.
    """
    missing = sorted(key for key in report["missing_keys"] if _is_needed(key, head))
    if missing:
        kind = " a trained sequence-classification model" if head else " the model that was trained"
        raise UsageError(
            f"model {ref.name}: its weights lack {_some(missing)} of what its configuration "
            f"describes, so it is not{kind}; save it again with save_pretrained"
        )
    others = [entry for entry in report["mismatched_keys"] if _is_needed(entry[0], head)]
    if others:
        key, found, wanted = sorted(others)[0]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise UsageError(
            f"model {ref.name}: its weights hold {key}{more} in another shape "
            f"({_shape(found)}) than its configuration describes ({_shape(wanted)}); the two do "
            "not belong together"
        )


def refuse_cut(ref: ModelRef, unexpected: Iterable[str], network: Any) -> None:
    """Refuses a network of fewer layers than the file has weights for, or of layers that do less.

    Raises:
        UsageError: what is not used are further layers like those of the network, or parts of them.
    """
    own = {name for name, _ in network.named_modules()}
    bare = f"{getattr(network, 'base_model_prefix', '')}."

    def known(name: str) -> bool:
        return not {name, f"{bare}{name}", name.removeprefix(bare)}.isdisjoint(own)

    for key in sorted(unexpected):
        if _CONSTANTS.search(key):
            continue
        for found in re.finditer(r"(?:^|\.)\d+\.", key):
            layers = key[: found.start() + 1] if found.group().startswith(".") else ""
            if known(key[: found.end() - 1]):
                raise UsageError(
                    f"model {ref.name}: its weights hold a part of a layer that its architecture "
                    f"{network.config.model_type} has not here, {key}, so it would not be scored "
                    "as it was trained; choose another model"
                )
            if known(f"{layers}0"):
                raise UsageError(
                    f"model {ref.name}: its weights hold layers that its configuration does not "
                    f"describe, such as {key}; restore num_hidden_layers (or its like) in its "
                    "config.json, or save the smaller model with save_pretrained"
                )


def _is_needed(key: str, head: bool) -> bool:
    return "position_ids" not in key and (head or "pooler." not in key)


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:2]) + (f" and {len(keys) - 2} more" if len(keys) > 2 else "")


def _shape(sizes: Iterable[int]) -> str:
    return " x ".join(str(size) for size in sizes)


def _steadied(network: Any) -> Any:
    """The network without what would let a score depend on the texts before it or beside it."""
    if getattr(network.config, "pad_token_id", None) is None:
        # Decoders look for the last token that is no padding; without a padding token every one is.
        network.config.pad_token_id = -1
    for config in (network.config, network.config.get_text_config()):
        config.update({"use_cache": False})  # a text is read once; so do transformers' pipelines
    for module in network.modules():
        if hasattr(module, "set_attention_type"):
            if module.config.attention_type == "block_sparse":
                _keep_sparse(network, module)
            break
    return network


def _keep_sparse(network: Any, attending: Any) -> None:
    """BigBird falls back to full attention for a short text, and stays there for all after it."""
    forward, turn = network.forward, Lock()

    @functools.wraps(forward)
    def once(*inputs: Any, **named: Any) -> Any:
        with turn:
            attending.set_attention_type("block_sparse")
            return forward(*inputs, **named)

    network.forward = once


def unloadable(ref: ModelRef, error: Exception) -> UsageError:
    """One line for whatever a loader raised."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UsageError(f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}")
