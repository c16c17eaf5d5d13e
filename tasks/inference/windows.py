"""Long documents: overlapping windows of tokens, and one score from the scores of the windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.job.job import LongDocuments


@dataclass(frozen=True)
class Windows:
    """The windows of several documents, in order.

    Attributes:
        ids: token ids of each window, without special tokens.
        document: which document each window belongs to, shape (windows,), never decreasing.
        starts: first token of each window in its document, from 0 and without the prompt, shape
            (windows,).
        counts: windows of each document, shape (documents,).
        truncated: documents of which tokens were left unread, shape (documents,).
        prompt: tokens that each window begins with and that are no part of a document.
    """

    ids: list[Ids]
    document: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    prompt: int = 0


def cut_windows(
    encoded: list[Ids],
    capacity: int | NDArray[np.int64],
    long: LongDocuments,
    keeps_end: bool = False,
    prompt: tuple[int, ...] = (),
) -> Windows:
    """Cuts documents into windows that fit the model.

    Args:
        encoded: token ids of each document, without special tokens.
        capacity: tokens of a document that fit beside the special tokens (and the hypothesis, or
            the text that it is read with: then one number a document).
        long: whether to read on or to truncate, and how many tokens neighbours share.
        keeps_end: whether the model's tokenizer truncates at the beginning.
        prompt: token ids that each document begins with, and each of its further windows too.

    Raises:
        UsageError: nothing of a document fits.
    """
    room = np.broadcast_to(np.asarray(capacity, dtype=np.int64), len(encoded))
    if (np.asarray(capacity) <= 0).any():
        raise UsageError(
            "the hypothesis fills the model's window; use a shorter template or shorter labels"
        )
    ids, owners, firsts = [], [], []
    again = np.array(prompt, dtype=np.int32)
    counts = np.ones(len(encoded), dtype=np.int64)
    for number, (document, fits) in enumerate(zip(encoded, room.tolist(), strict=True)):
        own = fits - len(prompt)
        overlap = min(long.overlap, own // 2)
        starts = [0]
        if long.policy == "windows":
            starts += range(fits - overlap, len(document) - overlap, own - overlap)
        elif keeps_end:
            starts = [max(0, len(document) - fits)]
        counts[number] = len(starts)
        ids.append(document[starts[0] : starts[0] + fits])
        ids += [np.concatenate([again, document[at : at + own]]) for at in starts[1:]]
        owners += [number] * len(starts)
        firsts += [max(0, start - len(prompt)) for start in starts]
    if long.policy == "windows":
        truncated = np.zeros(len(encoded), dtype=bool)
    else:
        truncated = np.array(
            [len(d) > fits for d, fits in zip(encoded, room, strict=True)], dtype=bool
        )
    owner, first = np.array(owners, dtype=np.int64), np.array(firsts, dtype=np.int64)
    return Windows(ids, owner, first, counts, truncated, len(prompt))


_watched: ContextVar[list[tuple[Windows, NDArray[np.float32]]] | None] = ContextVar(
    "nocturna_windows", default=None
)


@contextmanager
def watching() -> Iterator[list[tuple[Windows, NDArray[np.float32]]]]:
    """Notes the windows and their scores wherever they become scores of documents in the block."""
    seen: list[tuple[Windows, NDArray[np.float32]]] = []
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


def aggregate(scores: NDArray[np.float32], windows: Windows, how: str) -> NDArray[np.float32]:
    """One row of scores a document from one row a window.

    Args:
        scores: shape (windows, labels).
        windows: what the rows belong to.
        how: `mean` weighted by tokens, `max` (by label; not renormalised), or `first`.

    Returns:
        Shape (documents, labels).
    """
    if (watched := _watched.get()) is not None:
        watched.append((windows, scores))
    if len(windows.counts) == len(windows.ids):
        return scores
    starts = np.concatenate([[0], np.cumsum(windows.counts)[:-1]])
    if how == "first":
        return scores[starts]
    if how == "max":
        return np.maximum.reduceat(scores, starts, axis=0)
    weights = np.array([max(1, len(ids) - windows.prompt) for ids in windows.ids], dtype=np.float64)
    total = np.add.reduceat(weights, starts)
    weighted = np.add.reduceat(scores * weights[:, None], starts, axis=0)
    return (weighted / total[:, None]).astype(np.float32)
