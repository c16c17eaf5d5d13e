"""One way to word labels: what it gave, and which labels it tells apart badly."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.evaluation.intervals import shares_right
from nocturna.tasks.evaluation.judged import Judged
from nocturna.tasks.evaluation.pairing import Pairing, pairing
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.score_plan import ScorePlan

CLOSE = 0.5
"""A second label is close to the first one where it has at least this part of its score."""


@dataclass(frozen=True)
class Overlap:
    """Two labels that a way tells apart badly.

    Attributes:
        contested: of the texts whose best label is one of the two, the share of which the other is
            second and close.
        cosine: of the two as the encoder reads them; None where no encoder does.
    """

    one: str
    other: str
    contested: float
    cosine: float | None


@dataclass(frozen=True)
class Way:
    """One wording of the labels in one template.

    Attributes:
        number: from 1, as in `kappas` and in the texts that differ.
        wordings: what stands for each label, where that is not the label itself.
        template: with {} for the label; several where there are several.
        shares: of the texts, by label.
        unused: labels that no text got.
        mean_score: of the best label.
        overlaps: pairs of labels, the worst first.
        accuracy, low, high: on the gold labels, with the 95 % interval; None without any.
        against_first: compared with the first way on the gold labels.
    """

    number: int
    labels: tuple[str, ...]
    wordings: dict[str, list[str]]
    template: str | list[str]
    shares: dict[str, float]
    unused: tuple[str, ...]
    mean_score: float
    overlaps: tuple[Overlap, ...]
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    against_first: Pairing | None = None


def way_of(
    number: int,
    part: ScorePlan,
    values: NDArray[np.float32],
    run: Running,
    rated: Sequence[Judged],
) -> Way:
    """What a way did.

    Args:
        number: from 0.
        values: scores of the texts, shape (texts, labels).
        rated: every way on the texts with a gold label; none where no text has one.
    """
    best = values.argmax(axis=1)
    counts = np.bincount(best, minlength=len(part.labels))
    shares = {label: float(n / len(best)) for label, n in zip(part.labels, counts, strict=True)}
    measured: dict[str, Any] = {}
    if rated:
        rows = rated[number]
        ((low, high),) = shares_right(rows, np.ones((len(rows.truth), 1)))
        measured = {"accuracy": float(rows.right.mean()), "low": low, "high": high}
        if number:
            measured["against_first"] = pairing(rated[0], rows)
    return Way(
        number=number + 1,
        labels=part.labels,
        wordings=part.settings.get("wordings") or {},
        template=part.settings["template"],
        shares=shares,
        unused=tuple(label for label, n in zip(part.labels, counts, strict=True) if not n),
        mean_score=float(values.max(axis=1).mean()),
        overlaps=tuple(_overlaps(part, values, run)),
        **measured,
    )


def _overlaps(part: ScorePlan, values: NDArray[np.float32], run: Running) -> list[Overlap]:
    likeness = getattr(heads()[part.kind], "likeness", None)
    cosines = likeness(part, run) if likeness else None
    order = np.argsort(-values, axis=1, kind="stable")
    top = np.take_along_axis(values, order[:, :2], axis=1)
    close = top[:, -1] >= CLOSE * top[:, 0]
    found = []
    for a, b in combinations(range(len(part.labels)), 2):
        either = np.isin(order[:, 0], (a, b))
        both = either & np.isin(order[:, 1], (a, b)) & close
        contested = float(both.sum() / either.sum()) if either.any() else 0.0
        cosine = None if cosines is None else float(cosines[a, b])
        found.append(Overlap(part.labels[a], part.labels[b], contested, cosine))
    return sorted(found, key=lambda pair: (-pair.contested, -(pair.cosine or 0)))
