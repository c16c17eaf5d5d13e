"""Scores of some texts put together with those of others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import Tally
from nocturna.tasks.inference.scorer import Scored, Scores

OF_TEXTS = ("n_tokens", "n_windows", "truncated", "unreadable", "mostly_unknown")
OF_SCORES = ("values", "asked", "skipped")
"""Arrays of `Scores` and of `Scored`, each with a row for each text."""


def joined(plan: InferencePlan, parts: Sequence[Scores], places: NDArray[np.intp]) -> Scores:
    """Scores of n texts.

    Args:
        parts: the scores of each text, somewhere.
        places: where each text stands in all parts together, shape (n,).
    """

    def whole(arrays: list[NDArray[Any]]) -> NDArray[Any]:
        found: NDArray[Any] = np.concatenate(arrays)[places]
        return found

    by_name = {}
    for score in plan.scores:
        scored = [part.by_name[score.name] for part in parts]
        widest = max(some.values.shape[1] for some in scored)
        by_name[score.name] = Scored(
            values=whole([_widened(some.values, widest) for some in scored]),
            asked=whole([some.asked for some in scored]),
            skipped=whole([some.skipped for some in scored]),
        )
    arrays: dict[str, Any] = {name: whole([getattr(p, name) for p in parts]) for name in OF_TEXTS}
    return Scores(
        **arrays,
        by_name=by_name,
        scored_texts=sum(part.scored_texts for part in parts),
        tally=Tally(
            sum(part.tally.read for part in parts), sum(part.tally.padding for part in parts)
        ),
    )


def rows_of(scores: Scores, rows: NDArray[np.intp]) -> Scores:
    """The scores of some texts, which nothing had to be computed for."""
    by_name = {
        name: Scored(*(getattr(scored, part)[rows] for part in OF_SCORES))
        for name, scored in scores.by_name.items()
    }
    arrays: dict[str, Any] = {name: getattr(scores, name)[rows] for name in OF_TEXTS}
    return replace(scores, **arrays, by_name=by_name, scored_texts=0, tally=Tally())


def _widened(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The values with empty columns up to a width: documents bring more or fewer labels along."""
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=np.nan)
