"""The softmax temperature that makes zero-shot scores read as probabilities.

There is no open set of topics to calibrate on, so Wikipedia stands in: its paragraphs are the
texts and titles of articles are the labels. The temperature is the one with the least
negative log-likelihood (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
"""

import numpy as np
import torch
from torch.nn.functional import log_softmax

TEMPERATURES = tuple(round(t, 4) for t in np.geomspace(0.01, 0.3, 40))


def best_temperature(similarity: torch.Tensor) -> float:
    """The likeliest of ``TEMPERATURES`` for ``similarity`` (texts, labels), label 0 being right."""
    losses = [-log_softmax(similarity / t, dim=1)[:, 0].mean().item() for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def title_similarities(
    paragraphs: torch.Tensor, titles: torch.Tensor, labels: int, seed: int
) -> torch.Tensor:
    """Cosines of each paragraph with its own title, then with ``labels - 1`` random other titles.

    ``paragraphs`` and ``titles`` are embeddings of length 1, ``(n, d)`` each, rows aligned.
    """
    rng = np.random.default_rng(seed)
    n = len(titles)
    shift = torch.from_numpy(rng.integers(1, n, size=(n, labels - 1)))
    others = (torch.arange(n)[:, None] + shift) % n
    columns = torch.cat([torch.arange(n)[:, None], others], dim=1)
    return (paragraphs @ titles.T).gather(1, columns)
