"""Labels that each document brings along, as positions among all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Asked:
    """Which labels each document is asked about.

    Attributes:
        positions: of labels, shape (documents, most), -1 beyond a document's own; None for all of
            them, for every document.
    """

    positions: NDArray[np.int64] | None

    def of(
        self, values: NDArray[np.float32], document: NDArray[np.int64], empty: float
    ) -> NDArray[np.float32]:
        """The values of the labels that each row's document is asked about.

        Args:
            values: shape (rows, labels).
            document: which document each row belongs to, shape (rows,).
            empty: what stands beyond a document's own labels.

        Returns:
            shape (rows, most).
        """
        if self.positions is None:
            return values
        at = self.positions[document]
        found = np.take_along_axis(values, np.maximum(at, 0), axis=1)
        return np.where(at < 0, np.float32(empty), found)

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
