"""Batches of texts of like length."""

from collections.abc import Sequence

import numpy as np
import torch

PAD_ID = 0


def length_batches(
    lengths: Sequence[int], tokens: int, shuffle: np.random.Generator | None = None
) -> list[list[int]]:
    """Rows grouped by length so that no padded batch exceeds ``tokens`` tokens.

    With ``shuffle`` rows of like length meet in a new order each time and the batches come in
    random order; without it, longest first.
    """
    noise = shuffle.random(len(lengths)) * 2.0 if shuffle else np.zeros(len(lengths))
    order = np.argsort(-(np.asarray(lengths) + noise), kind="stable")
    batches: list[list[int]] = []
    longest = 0
    for row in order.tolist():
        if not batches or max(longest, lengths[row]) * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            longest = 0
        batches[-1].append(row)
        longest = max(longest, lengths[row])
    if shuffle:
        shuffle.shuffle(batches)
    return batches


def pad(sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids padded on the right and their attention mask, both ``(texts, longest)``."""
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), PAD_ID)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
    return ids, (torch.arange(longest) < torch.tensor([[len(s)] for s in sequences])).long()
