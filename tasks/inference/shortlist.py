"""Many labels: an encoder picks the few that a slower model then decides among."""

import numpy as np
from numpy.typing import NDArray

from tasks.inference.embedding import similarities
from tasks.inference.encoder import Encoder
from tasks.inference.frames import Ids
from tasks.inference.running import Running
from tasks.inference.windows import Windows, aggregate
from tasks.job import LongDocuments

_DECIMALS = 5
"""Similarities closer than this are a tie, which the order of the labels decides."""


def choose_labels(
    model: Encoder,
    encoded: list[Ids],
    labels: list[str],
    size: int,
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.int64], Windows]:
    """The labels that are most similar to each document, by the cosine of their embeddings.

    A long document has one shortlist: similarities of its windows are joined as scores are.

    Args:
        model: a loaded sentence encoder.
        encoded: token ids of each document, without special tokens.
        labels: the bare labels.
        size: how many to choose, at most as many as there are.
        long: what to do with documents beyond the encoder's window.
        run: how to run.

    Returns:
        Positions in `labels`, ascending, shape (documents, size), and the windows read.
    """
    cosines, windows = similarities(model, encoded, labels, long, run)
    joined = np.round(aggregate(cosines, windows, long.aggregate), _DECIMALS)
    nearest = np.argsort(-joined, axis=1, kind="stable")[:, :size]
    return np.sort(nearest, axis=1), windows
