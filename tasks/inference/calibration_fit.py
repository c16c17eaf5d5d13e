"""The temperature and the biases that fit labelled rows best, by torch's own optimiser."""

import numpy as np
from numpy.typing import NDArray

PRIOR = 1.0
"""Weight, in rows, of the raw scores: it holds what a few rows say nothing of where it is."""

_COLDEST = 1 / 20


def fit(
    odds: NDArray[np.float64], truth: NDArray[np.intp], sums_to_one: bool
) -> tuple[float, NDArray[np.float64]]:
    """Slope and a bias for each label; the loss is convex in both.

    Of shares only differences of biases tell; they are made to add up to 0.

    Args:
        odds: as `log_odds` gives them, shape (rows, labels).
        truth: position of each row's gold label, shape (rows,).
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

    given, labels = torch.from_numpy(odds), torch.from_numpy(truth.astype(np.int64))
    right = one_hot(labels, odds.shape[1]).double()
    raw = torch.zeros(odds.shape[1] + 1, dtype=torch.float64)
    raw[0] = 1.0
    weights = raw.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [weights],
        max_iter=1000,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        adjusted = given * weights[0] + weights[1:]
        if sums_to_one:
            lost = cross_entropy(adjusted, labels, reduction="sum")
        else:
            lost = binary_cross_entropy_with_logits(adjusted, right, reduction="sum")
        found = lost + PRIOR * ((weights - raw) ** 2).sum() / 2
        found.backward()
        return found

    optimiser.step(loss)
    slope, *bias = weights.detach().tolist()
    biases = np.array(bias)
    return max(slope, _COLDEST), biases - biases.mean() if sums_to_one else biases
