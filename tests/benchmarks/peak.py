"""The rate of a machine's matrix product: the ceiling of every network."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
import torch
from openvino import opset13

ROWS, WIDE, NARROW = 512, 3072, 768
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
HINTS = {"fp32": "f32", "bf16": "bf16"}


def matrix_peak(precision: str, workers: int, seconds: float = 1.0) -> float:
    """GFLOP/s of BERT-base's largest product on `workers` cores: torch's or OpenVINO's, the faster.

    512 tokens by the weights of a feed-forward layer, 3,072 x 768, one thread a core.
    """
    torch.set_num_threads(1)
    ways = (_torch_product, _openvino_product)
    return max(_rate(way(precision, workers), workers, seconds) for way in ways)


def model_flops(lengths: np.ndarray, layers: int = 12, width: int = NARROW) -> float:
    """Floating-point operations of the plain forward pass over sequences of these lengths."""
    linear = layers * 2 * 12 * width**2
    return float((lengths * linear + layers * 4 * width * lengths.astype(float) ** 2).sum())


def _rate(product: Callable[[], object], workers: int, seconds: float) -> float:
    def work(_: int) -> float:
        product()
        done, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            product()
            done += 1
        return done / taken

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers))) * 2 * ROWS * WIDE * NARROW / 1e9


def _torch_product(precision: str, workers: int) -> Callable[[], object]:
    kind = DTYPES[precision]
    tokens, weights = torch.randn(ROWS, NARROW, dtype=kind), torch.randn(WIDE, NARROW, dtype=kind)

    def product() -> object:
        with torch.inference_mode():
            return torch.nn.functional.linear(tokens, weights)

    return product


def _openvino_product(precision: str, workers: int) -> Callable[[], object]:
    weights = np.random.default_rng(0).normal(size=(WIDE, NARROW)).astype(np.float32)
    tokens = opset13.parameter([ROWS, NARROW], np.float32)
    result = opset13.matmul(tokens, opset13.constant(weights), False, True)
    settings = {
        "INFERENCE_NUM_THREADS": workers,
        "NUM_STREAMS": workers,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": HINTS[precision],
    }
    compiled = openvino.Core().compile_model(openvino.Model([result], [tokens]), "CPU", settings)
    values = np.random.default_rng(1).normal(size=(ROWS, NARROW)).astype(np.float32)

    own = threading.local()

    def product() -> object:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        return own.request.infer([values], share_inputs=True, share_outputs=True)

    return product
