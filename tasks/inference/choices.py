"""Labels that each document brings along, as positions among all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.frames import Ids


@dataclass(frozen=True)
class Asked:
    """Which labels each document is asked about.

    Attributes:
        positions: of labels, shape (documents, most), -1 beyond a document's own; None for all of
            them, for every document.
    """

    positions: NDArray[np.int64] | None

    def rows(self, labels: int, document: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the labels that each row's document is asked about.

        Args:
            labels: how many there are.
            document: which document each row belongs to, shape (rows,).

        Returns:
            shape (rows, most), -1 beyond a document's own.
        """
        if self.positions is None:
            return np.broadcast_to(np.arange(labels), (len(document), labels))
        return self.positions[document]

    def emptied(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of documents, shape (documents, most), NaN where there is no label."""
        if self.positions is None:
            return values
        return np.where(self.positions < 0, np.float32("nan"), values)


def spread_choices(
    labels: Sequence[str], choices: Sequence[tuple[str, ...]] | None
) -> tuple[list[str], Asked]:
    """All labels that any document is asked about, and who is asked about which.

    Args:
        labels: those of every document, where they do not bring their own.
        choices: at least one label of each document.
    """
    if choices is None:
        return list(labels), Asked(None)
    every = list(dict.fromkeys(label for own in choices for label in own))
    at = {label: position for position, label in enumerate(every)}
    positions = np.full((len(choices), max(map(len, choices), default=1)), -1, dtype=np.int64)
    for row, own in enumerate(choices):
        positions[row, : len(own)] = [at[label] for label in own]
    return every, Asked(positions)


def short_enough(
    sentences: list[Ids], room: int, about: NDArray[np.int64]
) -> tuple[list[Ids], NDArray[np.bool_], NDArray[np.int64]]:
    """Sentences about labels, without those that leave no room for a text, and whose those are.

    Args:
        sentences: token ids of each.
        room: tokens for one and a text.
        about: positions of the sentences about each document's labels, shape (documents, ...), -1
            for none.

    Returns:
        the sentences, of those that leave no room the first token alone; which documents have such
        a one, and the tokens of each document's longest sentence, shape (documents,).
    """
    beyond = np.array([len(ids) >= room for ids in sentences], dtype=bool)
    kept = [ids[:1] if out else ids for ids, out in zip(sentences, beyond, strict=True)]
    there = (about >= 0).reshape(len(about), -1)
    at = about.reshape(there.shape)
    spoilt: NDArray[np.bool_] = np.any(beyond[at] & there, axis=1)
    lengths = np.array([len(ids) for ids in kept], dtype=np.int64)
    return kept, spoilt, np.where(there, lengths[at], 0).max(axis=1, initial=0)
