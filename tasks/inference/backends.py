"""What runs a network on a batch: torch, which is the reference, or OpenVINO on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tasks.inference.batches import Backend, BatchLayout, Sequence, collate
from tasks.inference.models import ModelRef
from tasks.inference.networks import load_network
from tasks.inference.packing import PackedBackend, can_pack
from tasks.inference.running import Running


@dataclass(frozen=True)
class Reading:
    """What is read off a model.

    Attributes:
        name: tells this reading from others of the same weights.
        head: with the classification head, or the bare encoder.
        wrap: makes the module whose output is wanted from a loaded network.
        pack: the same for packed sequences; None where the architecture's parts are not known.
    """

    name: str
    head: bool
    wrap: Callable[[Any], nn.Module]
    pack: Callable[[Any], nn.Module | None] = lambda network: None


@dataclass(eq=False)
class TorchBackend:
    """A network run by torch, on any device.

    On a CPU equal lengths cost nothing and save the mask; a GPU wants large batches more.
    """

    module: nn.Module
    pad_id: int
    device: torch.device
    most_tokens: int | None = None

    @property
    def layout(self) -> BatchLayout:
        return "equal" if self.device.type == "cpu" else "padded"

    @torch.inference_mode()
    def forward(self, batch: list[Sequence]) -> NDArray[np.float32]:
        inputs = collate(batch, self.pad_id, self.device)
        found: NDArray[np.float32] = self.module(**inputs).float().cpu().numpy()
        return found


def load_backend(
    ref: ModelRef, reading: Reading, pad_id: int, uses_types: bool, run: Running
) -> Backend:
    """Makes a model ready to run as `run` says; kept for the life of the process.

    Args:
        ref: what to load.
        reading: what of it is wanted.
        pad_id: token that fills up a batch.
        uses_types: whether the model takes segment ids.
        run: device, backend and precision.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    if run.backend == "openvino":
        from tasks.inference.openvino_backend import load_openvino

        found = load_openvino(ref, reading, uses_types, run.precision, run.workers)
        if found is not None:
            return found
    return _load_torch(ref, reading, pad_id, run.precision, run.device)


@lru_cache(maxsize=8)
def _load_torch(
    ref: ModelRef, reading: Reading, pad_id: int, precision: str, device: torch.device
) -> Backend:
    network = load_network(ref, reading.head, precision, device)
    packed = reading.pack(network) if can_pack(device, precision) else None
    if packed is not None:
        return PackedBackend(packed.eval(), device)
    return TorchBackend(reading.wrap(network), pad_id, device)
