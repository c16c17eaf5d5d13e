"""Logits to probabilities, in double precision, as transformers' pipelines define them."""

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis; they add up to 1."""
    exact = logits.astype(np.float64)
    raised = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Independent probabilities, one an output."""
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
