"""Making an OpenVINO network of a torch one, checked against it before it is believed."""

import logging
import warnings

import numpy as np
import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import nn

from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.facts import network_facts
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.networks import load_network

logger = logging.getLogger(__name__)

LARGEST_ERROR = 2e-5
"""A conversion in fp32 may differ from torch by this share of the largest output, no more."""

_TRACED_SHAPE, _CHECKED_SHAPES = (2, 7), ((1, 5), (3, 12))
"""Rows and tokens of the example that is traced, and of those that the result is checked on."""

_LONGEST_CHECKED = 512
"""The result is checked on a sequence of so many tokens too, or of all that the network reads."""


def convert(ref: ModelRef, reading: Reading, uses_types: bool) -> openvino.Model | None:
    """A model as OpenVINO computes it; None where its architecture cannot be converted.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    networks = [load_network(*model, "fp32", "cpu") for model in reading.models(ref)]
    module = reading.wrap(*networks)
    try:
        examples = _Examples(ref, reading, uses_types)
        model = _traced(module, examples)
        error = _error(model, module, examples)
    except Exception as failure:  # the tracer and the front end raise whatever they met
        logger.info("%s: OpenVINO cannot convert it (%s); torch runs it", ref.name, failure)
        return None
    if not error <= LARGEST_ERROR:
        logger.info("%s: OpenVINO differs by %.1e; torch runs it", ref.name, error)
        return None
    return model


class _Examples:
    """Inputs of any shape that a network can be given, the same ones every time."""

    def __init__(self, ref: ModelRef, reading: Reading, uses_types: bool) -> None:
        network = network_facts(ref, reading.head)
        self._vocabulary = network.vocabulary or 2
        self._types = min(network.segments or 2, 2) if uses_types else 0
        self._landmark = network.landmark
        self.longest = min(network.positions or _LONGEST_CHECKED, _LONGEST_CHECKED)

    def of(self, shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Model inputs of a shape (batch, tokens), some with more landmarks than others."""
        generator = torch.Generator().manual_seed(shape[1])
        ids = torch.randint(0, self._vocabulary, shape, generator=generator)
        if self._landmark is not None:
            ids[ids == self._landmark] = (self._landmark + 1) % self._vocabulary
            ids[:, -min(3, 1 + shape[1] // 6) :] = self._landmark
        inputs = {"input_ids": ids}
        if self._types:
            inputs["token_type_ids"] = torch.randint(0, self._types, shape, generator=generator)
        return inputs


def _traced(module: nn.Module, examples: _Examples) -> openvino.Model:
    """Through the front end itself: the command-line converter would report its use."""
    front_end = FrontEndManager().load_by_framework("pytorch")
    example = examples.of(_TRACED_SHAPE)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # the result is checked against the network, so the trace need not be traced again for that
        once = {"check_trace": False}
        decoder = TorchScriptPythonDecoder(module, example_input=example, trace_kwargs=once)
        model = front_end.convert(front_end.load(decoder))
    for position in range(len(model.inputs)):
        model.inputs[position].get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
        model.inputs[position].get_node().set_element_type(openvino.Type.i64)
    model.validate_nodes_and_infer_types()
    return model


def _error(model: openvino.Model, module: nn.Module, examples: _Examples) -> float:
    """Largest difference from torch over several shapes, as a share of the largest output."""
    exact = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", exact)
    largest = 0.0
    for shape in (*_CHECKED_SHAPES, (1, examples.longest)):
        inputs = examples.of(shape)
        with torch.inference_mode():
            expected = module(**inputs).numpy()
        found = compiled([values.numpy() for values in inputs.values()])[0]
        scale = max(1.0, float(np.abs(expected).max()))
        largest = max(largest, float(np.abs(found - expected).max()) / scale)
    return largest
