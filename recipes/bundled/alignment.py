"""A lexicon from parallel sentences by IBM model 1.

Source: Brown, Della Pietra, Della Pietra and Mercer 1993, "The mathematics of statistical machine
translation", https://aclanthology.org/J93-2003.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_FORGET_BELOW = 1e-4


@dataclass(frozen=True)
class Links:
    """Every (source, target) word pair that some sentence pair suggests, once per occurrence."""

    position: NDArray[np.int64]
    pair: NDArray[np.int64]
    pair_source: NDArray[np.int64]
    pair_target: NDArray[np.int64]


def _links(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], n_targets: int) -> Links:
    """Links of sentence pairs given as word ids; ``position`` numbers the target occurrences."""
    sources, targets, positions = [], [], []
    first = 0
    for source, target in pairs:
        n, m = len(source), len(target)
        sources.append(np.tile(np.asarray(source, dtype=np.int64), m))
        targets.append(np.repeat(np.asarray(target, dtype=np.int64), n))
        positions.append(np.repeat(np.arange(first, first + m), n))
        first += m
    key = np.concatenate(sources) * n_targets + np.concatenate(targets)
    unique, pair = np.unique(key, return_inverse=True)
    return Links(np.concatenate(positions), pair, unique // n_targets, unique % n_targets)


def translation_table(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    n_sources: int,
    n_targets: int,
    iterations: int = 6,
) -> csr_matrix:
    """p(source | target) turned round: row s holds p(target | source), estimated by EM.

    ``pairs`` are sentence pairs as word ids, source side first. The result has shape
    ``(n_sources, n_targets)``; its rows sum to at most 1. Model 1 is run so that each target word
    picks one source word (source 0 should be a NULL word put in front of every source sentence).
    """
    links = _links(pairs, n_targets)
    probability = np.ones(len(links.pair_source))
    for _ in range(iterations):
        weight = probability[links.pair]
        weight /= np.bincount(links.position, weights=weight)[links.position]
        count = np.bincount(links.pair, weights=weight, minlength=len(probability))
        total = np.bincount(links.pair_source, weights=count, minlength=n_sources)
        probability = count / total[links.pair_source]
    kept = probability > _FORGET_BELOW
    return csr_matrix(
        (probability[kept], (links.pair_source[kept], links.pair_target[kept])),
        shape=(n_sources, n_targets),
    )
