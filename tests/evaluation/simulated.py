"""A classifier whose errors are known, on documents whose labels are known."""

from collections import Counter

import numpy as np
import pyarrow as pa

from nocturna.tasks.evaluation.design import Design, evenly
from nocturna.tasks.evaluation.judged import Judged, judged

LABELS = ("política", "economía", "cultura")
CONFUSION = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.05, 0.1, 0.85]])
"""How often a document of a label (row) is called each label (column)."""


def called(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """What the classifier calls documents."""
    return (rng.random(len(truth))[:, None] > CONFUSION[truth].cumsum(axis=1)).sum(axis=1)


def counted(said: np.ndarray) -> dict[str | None, int]:
    """Documents by the label that they were called."""
    return Counter(LABELS[at] for at in said)


def judged_rows(
    truth: np.ndarray, said: np.ndarray, design: Design | None = None, **more: object
) -> Judged:
    """Labelled rows of which the classifier said that."""
    n = len(truth)
    scores = np.full((n, len(LABELS)), 0.1, np.float32)
    scores[np.arange(n), said] = 0.8
    rows = {"languages": ["es"] * n, "n_tokens": np.full(n, 20), "name": "simulated"} | more
    documents = pa.table(
        {
            "doc_id": [f"d{at}" for at in range(n)],
            "source_uri": ["gold.csv"] * n,
            "source_row": list(range(1, n + 1)),
            "text": [f"={at}" for at in range(n)],
        }
    )
    return judged(
        rows["name"],  # type: ignore[arg-type]
        LABELS,
        [LABELS[at] for at in truth],
        scores,
        design or evenly(n),
        rows["languages"],  # type: ignore[arg-type]
        rows["n_tokens"],  # type: ignore[arg-type]
        documents,
    )
