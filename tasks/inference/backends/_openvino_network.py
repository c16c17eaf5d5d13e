"""OpenVINO on a CPU: a network is converted once, kept on disk, and compiled for the processor.

Source: OpenVINO's CPU plug-in packs weights for the processor's matrix units (AVX2, AVX-512 BF16
and VNNI, AMX).
"""

import threading
from functools import lru_cache
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from nocturna.tasks.inference.architectures import LENGTH_DEPENDENT
from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.backends._openvino_int8 import quantise_weights
from nocturna.tasks.inference.backends._openvino_kept import (
    conversion_at,
    keep_conversion,
    read_conversion,
)
from nocturna.tasks.inference.backends._openvino_prepared import read_prepared
from nocturna.tasks.inference.backends._openvino_weights import Converted
from nocturna.tasks.inference.batches import BatchLayout, Sequence
from nocturna.tasks.inference.facts import network_facts
from nocturna.tasks.inference.models import ModelRef

KEPT_KERNELS = 500
"""Kernels, one a layer and shape, that a worker keeps; OpenVINO's own 5,000 take 300 MiB more."""

_GATES = ("Swish", "Gelu")

_loading = threading.Lock()


class OpenVinoNetwork:
    """A compiled network; each thread that calls it gets an infer request of its own."""

    layout: BatchLayout = "equal"

    def __init__(
        self, found: Converted, precision: str, workers: int, uses_types: bool, landmark: int | None
    ) -> None:
        self._weights = found.weights  # the library does not hold on to memory that is ours
        self._compiled = _compile(found.model, precision, workers)
        self.landmark = landmark
        self._uses_types = uses_types
        self._requests = threading.local()
        self.most_tokens: int | None = None

    def forward(self, batch: list[Sequence]) -> NDArray[np.float32]:
        """The output of sequences of one length, shape (batch, width)."""
        inputs = [np.stack([s.ids for s in batch]).astype(np.int64)]
        if self._uses_types:
            inputs.append(
                np.stack(
                    [np.zeros_like(s.ids) if s.types is None else s.types for s in batch]
                ).astype(np.int64)
            )
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        found = self._requests.own.infer(inputs)
        return np.array(found[0], dtype=np.float32)

    def let_go_of_weights(self) -> None:
        """Gives back the memory of those that are packed now."""
        if self._weights:
            self._weights.let_go()


def computes_in() -> tuple[str, ...]:
    """The precisions that this processor is faster in than in fp32, slowest first."""
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in ("bf16", "int8") if name.upper() in able)


def load_openvino(
    ref: ModelRef, reading: Reading, uses_types: bool, precision: str, workers: int
) -> OpenVinoNetwork | None:
    """Compiles a model for this processor; None where its architecture cannot be converted.

    It cannot where it computes in another way beyond some length, which a conversion forgets.

    Args:
        ref: what to load.
        reading: what of it is wanted.
        uses_types: whether the model takes segment ids.
        precision: `fp32`, `bf16` or `int8`.
        workers: threads that will call it at the same time; each gets one core.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    with _loading:
        return _load(ref, reading, uses_types, precision, workers)


@lru_cache(maxsize=8)
def _load(
    ref: ModelRef, reading: Reading, uses_types: bool, precision: str, workers: int
) -> OpenVinoNetwork | None:
    facts = network_facts(ref, reading.head)
    if facts.model_type in LENGTH_DEPENDENT:
        return None
    found = _converted(ref, reading, uses_types, int8=precision == "int8")
    if found is None:
        return None
    network = OpenVinoNetwork(found, precision, workers, uses_types, facts.landmark)
    # The binding sets itself up in its first call; two threads that both make it can lock up.
    network.forward([Sequence(np.full(2, facts.landmark or 0, dtype=np.int32), None)])
    network.let_go_of_weights()
    return network


def forget() -> None:
    """Lets go of every compiled network."""
    _load.cache_clear()


def _compile(model: openvino.Model, precision: str, workers: int) -> openvino.CompiledModel:
    in_bf16 = precision == "bf16" and "bf16" in computes_in()
    if in_bf16:
        _keep_gates_apart(model)
    settings: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": workers,
        "NUM_STREAMS": workers,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KEPT_KERNELS,
        # int8 beside bf16 gives wrong scores on processors with AMX, from the second stream on
        "INFERENCE_PRECISION_HINT": "bf16" if in_bf16 else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _group_size(model) if precision == "int8" else 0,
    }
    return openvino.Core().compile_model(model, "CPU", settings)


def _keep_gates_apart(model: openvino.Model) -> None:
    """Keeps the gated layers of decoders from being joined, by a clamp that changes nothing.

    What processors with AMX join them into shares its work out to pairs of threads, and ends the
    process where a stream has one thread (SIGFPE).
    """
    from openvino import opset13 as opset

    for node in model.get_ordered_ops():
        if node.get_type_name() not in _GATES:
            continue
        gate = node.input_value(0)
        if gate.get_node().get_type_name() == "MatMul":
            largest = float(np.finfo(np.float32).max)
            node.input(0).replace_source_output(opset.clamp(gate, -largest, largest).output(0))


def _converted(ref: ModelRef, reading: Reading, uses_types: bool, int8: bool) -> Converted | None:
    folder = conversion_at(ref, reading.name, uses_types, int8)
    kept = read_conversion(folder)
    if kept is not None:
        return kept
    exact = conversion_at(ref, reading.name, uses_types, int8=False)
    found = read_prepared(exact, ref, reading)
    if found is not None and not int8:
        return found
    if found is None:
        from nocturna.tasks.inference.backends._openvino_conversion import convert

        made = convert(ref, reading, uses_types)
        found = Converted(made) if made is not None else None
    if found is not None:
        if int8:
            quantise_weights(found.model)
        keep_conversion(found.model, folder, ref, reading.name)
    return found


def _group_size(model: openvino.Model) -> int:
    """Activations that share a scale: the narrowest layer's inputs."""
    widths = [
        node.input_value(1).get_node().shape[1]
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul"
        and node.get_attributes()["transpose_b"]
        and len(node.input_value(1).get_partial_shape()) == 2
    ]
    return int(min(widths, default=0))
