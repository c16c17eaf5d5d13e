"""Rows whose right label is known, and what a classifier said of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nocturna.tasks.evaluation.agreement import indices
from nocturna.tasks.evaluation.design import Design


@dataclass(frozen=True, eq=False)
class Judged:
    """One classifier on n labelled rows.

    Attributes:
        name: of the classifier: the model as `name@revision`, or the config of published rows.
        labels: that it can give, in the order of the scores.
        truth: gold label of each row as its place among the labels, shape (n,).
        scores: shape (n, labels), 0 for labels that a row was not asked about.
        said: label of each row in the results as its place among the labels, and one place further
            where a threshold leaves none, shape (n,).
        design: how the rows were drawn.
        languages: of each row; None where it cannot be told.
        n_tokens: of each row, shape (n,).
        documents: `doc_id`, `source_uri`, `source_row` and `text` of each row.
    """

    name: str
    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    scores: NDArray[np.float32]
    said: NDArray[np.int64]
    design: Design
    languages: Sequence[str | None]
    n_tokens: NDArray[np.int64]
    documents: pa.Table

    @property
    def gold(self) -> list[str]:
        """The gold label of each row."""
        return [self.labels[at] for at in self.truth]

    @property
    def guess(self) -> NDArray[np.int64]:
        """The best label of each row, whatever its score, shape (n,)."""
        return self.scores.argmax(axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best label is the gold one, shape (n,)."""
        return self.guess == self.truth

    def take(self, places: NDArray[np.integer]) -> "Judged":
        """Some of the rows."""
        return replace(
            self,
            truth=self.truth[places],
            scores=self.scores[places],
            said=self.said[places],
            design=replace(self.design, strata=self.design.strata[places]),
            languages=[self.languages[int(at)] for at in places],
            n_tokens=self.n_tokens[places],
            documents=self.documents.take(places),
        )


def judged(
    name: str,
    labels: Sequence[str],
    gold: Sequence[str],
    scores: NDArray[np.floating],
    design: Design,
    languages: Sequence[str | None],
    n_tokens: NDArray[np.int64],
    documents: pa.Table,
    threshold: float | None = None,
    said: Sequence[str | None] | None = None,
) -> Judged:
    """What a classifier said, beside the gold labels.

    Args:
        scores: NaN for labels that a row was not asked about.
        threshold: below which the results have no label.
        said: labels of the rows in the results, where that is known.

    Raises:
        UsageError: there is no row, or a gold label that the classifier cannot give.
    """
    truth = indices(gold, labels)
    known = np.nan_to_num(scores).astype(np.float32)
    if said is not None:
        at = {label: place for place, label in enumerate(labels)}
        told = np.array([len(labels) if one is None else at[one] for one in said], dtype=np.int64)
    else:
        told = known.argmax(axis=1)
        if threshold is not None:
            told = np.where(known.max(axis=1) < np.float32(threshold), len(labels), told)
    return Judged(
        *(name, tuple(labels), truth, known, told),
        *(design, languages, n_tokens, documents),
    )
