"""What is known of texts before they are scored."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError


@dataclass(frozen=True)
class Known:
    """What is known of n texts before they are scored, and which scores they need.

    Attributes:
        needs: texts that need a score, by its name, each of shape (n,); all where it is not named.
        languages: ISO 639-1 code or None of each text; only for scores with such a condition.
        labels: the label that a score has given each text before, by its name; for conditions.
        choices: the labels that each text brings along, by source column.
        pairs: the text that each is read together with, None where there is none, by source column.
    """

    needs: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    languages: Sequence[str | None] = ()
    labels: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    choices: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    pairs: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def of(self, position: int) -> Hashable:
        """What is known of one text; texts that are equal in this too are scored alike."""
        return (
            tuple(bool(need[position]) for need in self.needs.values()),
            self.languages[position] if self.languages else None,
            tuple(labels[position] for labels in self.labels.values()),
            tuple(choices[position] for choices in self.choices.values()),
            tuple(others[position] for others in self.pairs.values()),
        )

    def texts_of(self, column: str) -> Sequence[str | None]:
        """The text that each is read together with.

        Raises:
            UsageError: the column was not handed over with the texts.
        """
        if column not in self.pairs:
            raise UsageError(
                f"text_pair: the column {column!r} does not come with the texts here; leave "
                "text_pair out of the job"
            )
        return self.pairs[column]

    def at(self, positions: NDArray[np.intp]) -> "Known":
        """What is known of some of the texts."""

        def some(values: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
            return {name: [of[i] for i in positions] for name, of in values.items()}

        return Known(
            needs={name: need[positions] for name, need in self.needs.items()},
            languages=[self.languages[i] for i in positions] if self.languages else (),
            labels=some(self.labels),
            choices=some(self.choices),
            pairs=some(self.pairs),
        )
