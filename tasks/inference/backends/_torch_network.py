"""Networks run by torch, on any device: padded, of equal lengths, or packed end to end."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nocturna.tasks.inference.architectures import PADDABLE, landmark
from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.batches import BatchLayout, Network, Sequence
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.networks import forget_networks, load_network
from nocturna.tasks.inference.packing import pack, to_device
from nocturna.tasks.inference.running import Running

log = logging.getLogger(__name__)

_LEAST_CAPABILITY = (8, 0)
"""Ampere: the first GPUs that flash attention runs on."""


@dataclass(eq=False)
class TorchNetwork:
    """A network run by torch.

    On a CPU equal lengths cost nothing and save the mask; a GPU wants large batches more.

    Attributes:
        paddable: whether padding changes none of its scores.
    """

    module: nn.Module
    pad_id: int
    device: torch.device
    most_tokens: int | None = None
    landmark: int | None = None
    paddable: bool = True

    @property
    def layout(self) -> BatchLayout:
        return "padded" if self.paddable and self.device.type != "cpu" else "equal"

    def forward(self, batch: list[Sequence]) -> NDArray[np.float32]:
        return _computed(lambda: self.module(**collate(batch, self.pad_id, self.device)))


@dataclass(eq=False)
class PackedNetwork:
    """A network of packed sequences, run by torch."""

    module: nn.Module
    device: torch.device
    most_tokens: int | None = None
    landmark: int | None = None

    @property
    def layout(self) -> BatchLayout:
        return "packed"

    def forward(self, batch: list[Sequence]) -> NDArray[np.float32]:
        return _computed(lambda: self.module(pack(batch, self.device)))


def load_torch(ref: ModelRef, reading: Reading, pad_id: int, run: Running) -> Network:
    """Loads a network with the calling thread's share of the cores; kept for the next shards."""
    torch.set_num_threads(run.threads)
    return _load(ref, reading, pad_id, run.precision, run.device)


@lru_cache(maxsize=8)
def _load(ref: ModelRef, reading: Reading, pad_id: int, precision: str, on: str) -> Network:
    network = _loaded(ref, reading, pad_id, precision, on)
    if precision == "fp32":
        return network
    try:
        network.forward([Sequence(np.full(2, network.landmark or 0, dtype=np.int32), None)])
    except Exception as error:  # of whatever two tokens are too few for, texts will tell
        if "scalar type" not in str(error) and "dtype" not in str(error):
            return network
        log.warning("model %s: torch cannot run it in bf16 (%s); it runs in fp32", ref.name, error)
        return _loaded(ref, reading, pad_id, "fp32", on)
    return network


def _loaded(ref: ModelRef, reading: Reading, pad_id: int, precision: str, on: str) -> Network:
    device = torch.device(on)
    networks = [load_network(*model, precision, on) for model in reading.models(ref)]
    packed = reading.pack(*networks) if can_pack(device, precision) else None
    if packed is not None:
        return PackedNetwork(packed.eval(), device)
    return TorchNetwork(
        reading.wrap(*networks).to(device),
        pad_id,
        device,
        landmark=landmark(networks[0].config) if reading.head else None,
        paddable=networks[0].config.model_type in PADDABLE,
    )


def forget() -> None:
    """Lets go of every network."""
    _load.cache_clear()
    forget_networks()


@torch.inference_mode()
def _computed(output: Callable[[], torch.Tensor]) -> NDArray[np.float32]:
    """What a module gives; out of a device's memory is told as out of this machine's is."""
    try:
        found: NDArray[np.float32] = output().float().cpu().numpy()
        return found
    except torch.OutOfMemoryError as error:
        reason = str(error)
    # only here nothing holds what the module had made so far
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise MemoryError(reason)


def can_pack(device: torch.device, precision: str) -> bool:
    """Whether packed sequences are faster than padded ones here: in bf16 on an Ampere or newer."""
    if device.type != "cuda" or precision != "bf16":
        return False
    try:
        from torch.nn.attention import varlen  # noqa: F401
    except ImportError:
        return False
    return torch.cuda.get_device_capability(device) >= _LEAST_CAPABILITY


def collate(batch: list[Sequence], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Model inputs of a batch; sequences of one length carry no mask.

    Returns:
        `input_ids`, and where needed `attention_mask` and `token_type_ids`, each (batch, longest).
    """
    longest = max(len(s.ids) for s in batch)
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    types = np.zeros_like(ids)
    mask = np.zeros_like(ids)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = item.ids
        mask[row, : len(item.ids)] = 1
        if item.types is not None:
            types[row, : len(item.types)] = item.types
    arrays = {"input_ids": ids}
    if not mask.all():
        arrays["attention_mask"] = mask
    if any(item.types is not None for item in batch):
        arrays["token_type_ids"] = types
    return {name: to_device(array, device) for name, array in arrays.items()}
