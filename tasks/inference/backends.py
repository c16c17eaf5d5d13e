"""What runs a network on a batch: torch, which is the reference, or OpenVINO on a CPU.

Both are imported when a model is loaded, not before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nocturna.tasks.inference.batches import Backend
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.running import Running


@dataclass(frozen=True)
class Reading:
    """What is read off a model.

    Attributes:
        name: tells this reading from others of the same weights.
        head: with the classification head, or the bare encoder.
        wrap: makes the torch module whose output is wanted from a loaded network.
        pack: the same for packed sequences; None where the architecture's parts are not known.
    """

    name: str
    head: bool
    wrap: Callable[[Any], Any]
    pack: Callable[[Any], Any] = lambda network: None


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
        from nocturna.tasks.inference.openvino_backend import load_openvino

        found = load_openvino(ref, reading, uses_types, run.precision, run.workers)
        if found is not None:
            return found
    from nocturna.tasks.inference.torch_backend import load_torch

    return load_torch(ref, reading, pad_id, run)
