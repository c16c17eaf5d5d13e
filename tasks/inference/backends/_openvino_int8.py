"""An OpenVINO network with int8 weights.

Sources: int8 weights are symmetric, one scale an output channel; OpenVINO quantises activations at
run time, one scale a group.
"""

import numpy as np
import openvino
from openvino import opset13


def quantise_weights(model: openvino.Model) -> None:
    """Replaces the weights of every linear layer by int8, symmetric, a scale an output channel."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul" or not node.get_attributes()["transpose_b"]:
            continue
        weights = node.input_value(1).get_node()
        if weights.get_type_name() != "Constant" or len(weights.shape) != 2:
            continue
        if not node.get_input_partial_shape(0).is_dynamic:
            continue  # what it makes is the same for every text, and worked out once
        exact = np.array(weights.data, dtype=np.float32)
        scale = np.abs(exact).max(axis=1, keepdims=True) / 127
        scale[scale == 0] = 1
        rounded = opset13.constant(np.rint(exact / scale).astype(np.int8))
        restored = opset13.multiply(
            opset13.convert(rounded, "f32"), opset13.constant(scale.astype(np.float32))
        )
        node.input(1).replace_source_output(restored.output(0))
