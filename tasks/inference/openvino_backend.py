"""OpenVINO on a CPU: converted once, kept on disk, checked against torch before it is believed.

Sources: OpenVINO's CPU plug-in packs weights for the processor's matrix units (AVX2, AVX-512 BF16
and VNNI, AMX); int8 weights are symmetric, one scale an output channel, and activations are
quantised at run time, one scale a group.
"""

# ruff: noqa: E402

import hashlib
import json
import logging
import shutil
import sys
import tempfile
import threading
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

# OpenVINO imports this package if it can, which then posts statistics, leaves an id in HOME and
# forks this process while its threads run.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino import opset13
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import nn

from tasks.inference.backends import Reading
from tasks.inference.batches import BatchLayout, Sequence
from tasks.inference.models import ModelRef
from tasks.inference.networks import load_network
from tasks.settings import cache_folder

logger = logging.getLogger(__name__)

CONVERSION = 1
"""Version of what this module makes of a network; part of the address of a kept conversion."""

LARGEST_ERROR = 2e-5
"""A conversion in fp32 may differ from torch by this share of the largest output, no more."""

KEPT_KERNELS = 500
"""Kernels, one a layer and shape, that a worker keeps; OpenVINO's own 5,000 take 300 MiB more."""

_loading = threading.Lock()
_CHECKED_SHAPES = ((1, 5), (3, 12), (2, 9))


class OpenVinoBackend:
    """A compiled network; each thread that calls it gets an infer request of its own."""

    layout: BatchLayout = "equal"

    def __init__(self, compiled: openvino.CompiledModel, uses_types: bool) -> None:
        self._compiled = compiled
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


def computes_in() -> tuple[str, ...]:
    """The precisions that this processor is faster in, slowest first; fp32 is always there."""
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("fp32", *(["bf16"] if "BF16" in able else []), *(["int8"] if "INT8" in able else []))


def load_openvino(
    ref: ModelRef, reading: Reading, uses_types: bool, precision: str, workers: int
) -> OpenVinoBackend | None:
    """Compiles a model for this processor; None where its architecture cannot be converted.

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
) -> OpenVinoBackend | None:
    model = _converted(ref, reading, uses_types, int8=precision == "int8")
    if model is None:
        return None
    backend = OpenVinoBackend(_compile(model, precision, workers), uses_types)
    # The binding sets itself up in its first call; two threads that both make it can lock up.
    backend.forward([Sequence(np.zeros(2, dtype=np.int32), None)])
    return backend


def _compile(model: openvino.Model, precision: str, workers: int) -> openvino.CompiledModel:
    settings: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": workers,
        "NUM_STREAMS": workers,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KEPT_KERNELS,
        "INFERENCE_PRECISION_HINT": "bf16" if precision != "fp32" and _has_bf16() else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _group_size(model) if precision == "int8" else 0,
    }
    return openvino.Core().compile_model(model, "CPU", settings)


def _converted(
    ref: ModelRef, reading: Reading, uses_types: bool, int8: bool
) -> openvino.Model | None:
    folder = _address(ref, reading, uses_types, int8)
    kept = folder / "model.xml"
    if kept.is_file():
        return openvino.Core().read_model(kept)
    network = load_network(ref, reading.head, "fp32", torch.device("cpu"))
    module = reading.wrap(network)
    try:
        model = _convert(module, uses_types)
        error = _error(model, module, uses_types, network.config.vocab_size)
    except Exception as failure:  # the tracer and the front end raise whatever they met
        logger.info("%s: OpenVINO cannot convert it (%s); torch runs it", ref.name, failure)
        return None
    if not error <= LARGEST_ERROR:
        logger.info("%s: OpenVINO differs by %.1e; torch runs it", ref.name, error)
        return None
    if int8:
        _quantise_weights(model)
    _keep(model, folder, ref, reading)
    return model


def _address(ref: ModelRef, reading: Reading, uses_types: bool, int8: bool) -> Path:
    decisive = [ref.revision, reading.name, uses_types, int8, CONVERSION]
    versions = [openvino.__version__, torch.__version__]
    digest = hashlib.sha256(json.dumps(decisive + versions).encode()).hexdigest()[:24]
    return cache_folder() / "openvino" / digest


def _example(uses_types: bool, shape: tuple[int, int], vocabulary: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(shape[1])
    ids = torch.randint(0, vocabulary, shape, generator=generator)
    inputs = {"input_ids": ids}
    if uses_types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    return inputs


def _convert(module: nn.Module, uses_types: bool) -> openvino.Model:
    """Through the front end itself: the command-line converter would report its use."""
    front_end = FrontEndManager().load_by_framework("pytorch")
    example = _example(uses_types, (2, 7), 3)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)
        model = front_end.convert(front_end.load(decoder))
    for position in range(len(model.inputs)):
        model.inputs[position].get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
        model.inputs[position].get_node().set_element_type(openvino.Type.i64)
    model.validate_nodes_and_infer_types()
    return model


def _error(model: openvino.Model, module: nn.Module, uses_types: bool, vocabulary: int) -> float:
    """Largest difference from torch over several shapes, as a share of the largest output."""
    compiled = _compile(model, "fp32", 1)
    largest = 0.0
    for shape in _CHECKED_SHAPES:
        inputs = _example(uses_types, shape, vocabulary)
        with torch.inference_mode():
            expected = module(**inputs).numpy()
        found = compiled([values.numpy() for values in inputs.values()])[0]
        scale = max(1.0, float(np.abs(expected).max()))
        largest = max(largest, float(np.abs(found - expected).max()) / scale)
    return largest


def _quantise_weights(model: openvino.Model) -> None:
    """Replaces the weights of every linear layer by int8, symmetric, a scale an output channel."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul" or not node.get_attributes()["transpose_b"]:
            continue
        weights = node.input_value(1).get_node()
        if weights.get_type_name() != "Constant" or len(weights.shape) != 2:
            continue
        exact = np.array(weights.data, dtype=np.float32)
        scale = np.abs(exact).max(axis=1, keepdims=True) / 127
        scale[scale == 0] = 1
        rounded = opset13.constant(np.rint(exact / scale).astype(np.int8))
        restored = opset13.multiply(
            opset13.convert(rounded, "f32"), opset13.constant(scale.astype(np.float32))
        )
        node.input(1).replace_source_output(restored.output(0))


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


def _has_bf16() -> bool:
    return "bf16" in computes_in()


def _keep(model: openvino.Model, folder: Path, ref: ModelRef, reading: Reading) -> None:
    """Writes a conversion to its address in one step; a cache that cannot be written is none."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
        try:
            openvino.save_model(model, building / "model.xml", compress_to_fp16=False)
            about = {"model": ref.label, "reading": reading.name}
            (building / "about.json").write_text(json.dumps(about), encoding="utf-8")
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        if not folder.is_dir():
            logger.info("%s: the converted model is not kept: %s", folder.parent, error)
