"""The columns of one score, from what a model said tonight and what its rows said before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.results.score_fields import columns_of_score, has_status, label_columns

NOT_ASKED = "not asked"


@dataclass(frozen=True)
class NewScores:
    """One score of the documents of a shard, in their order.

    Attributes:
        values: float32, shape (documents, labels), NaN for labels that a document was not asked
            about; (documents, 1) for a number; (documents, most) for a document's own labels.
        asked: documents that it was computed for, shape (documents,).
        skipped: documents that it is not for, shape (documents,).
        choices: a document's own labels, where the score has such.
    """

    values: npt.NDArray[np.float32]
    asked: npt.NDArray[np.bool_]
    skipped: npt.NDArray[np.bool_]
    choices: Sequence[tuple[str, ...]] | None = None

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Documents of which tonight says what their score is, be it none."""
        return self.asked | self.skipped


def lacks_number(score: ScorePlan, new: NewScores) -> npt.NDArray[np.bool_]:
    """Documents that the model was asked about and did not give all the numbers it should."""
    if score.gives == "choices":
        assert new.choices is not None
        due = np.array([len(own) for own in new.choices])
    else:
        due = np.full(len(new.values), score.asked or max(1, len(score.labels)))
    return new.asked & (np.isfinite(new.values).sum(axis=1) != due)


def score_arrays(
    score: ScorePlan,
    new: NewScores,
    good: npt.NDArray[np.bool_],
    carried: pa.Table | None,
) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Every column of a score.

    Args:
        good: documents whose row may have scores.
        carried: the columns of the score as the rows of the same documents had them before, for
            the documents that tonight says nothing of.
    """
    made = _columns(score, new, good & new.asked)
    if has_status(score):
        made[f"{score.name}_status"] = _status(score, new, good)
    config = f"{score.name}_config"
    made[config] = pa.array([score.config] * len(good), pa.string())
    if carried is None or bool((new.decided | ~good).all()):
        return made
    tonight = pa.array(new.decided | ~good)
    return {
        name: pc.if_else(tonight, made[name], carried[name].cast(made[name].type))
        if not pa.types.is_nested(made[name].type)
        else _either(new.decided | ~good, made[name], carried[name])
        for name in columns_of_score(score)
    }


def _columns(
    score: ScorePlan, new: NewScores, known: npt.NDArray[np.bool_]
) -> dict[str, pa.Array | pa.ChunkedArray]:
    name, values = score.name, new.values
    if score.gives == "number":
        return {name: pa.array(values[:, 0], pa.float32(), mask=~known)}
    there = known[:, None] & np.isfinite(values)
    best = np.where(there, values, -1).argmax(axis=1)
    top = values[np.arange(len(best)), best]
    given = known & (top >= np.float32(score.threshold or 0))
    arrays: dict[str, Any] = {f"{name}_score": pa.array(top, pa.float32(), mask=~known)}
    if score.gives == "choices":
        own = new.choices or [()] * len(known)
        labels = [c[b] if k else None for c, b, k in zip(own, best, given, strict=True)]
        arrays[name] = pa.array(labels, pa.string())
        lists = [list(c) if k else None for c, k in zip(own, known, strict=True)]
        arrays[f"{name}_labels"] = pa.array(lists, pa.list_(pa.string()))
        numbers = [
            row[: len(c)].tolist() if k else None
            for row, c, k in zip(values, own, known, strict=True)
        ]
        arrays[f"{name}_scores"] = pa.array(numbers, pa.list_(pa.float32()))
        return arrays
    named = label_columns(name, score.labels)
    names = np.array(list(named), dtype=object)
    arrays[name] = pa.array(names[best], pa.string(), mask=~given)
    for position, column in enumerate(named.values()):
        arrays[column] = pa.array(values[:, position], pa.float32(), mask=~there[:, position])
    return arrays


def _status(score: ScorePlan, new: NewScores, good: npt.NDArray[np.bool_]) -> pa.Array:
    wanted = [f"{name} is {' or '.join(labels)}" for name, labels in score.when.items()]
    if score.choices is not None:
        wanted.append(f"{score.choices} has labels")
    if score.pair is not None:
        wanted.append(f"{score.pair} has a text")
    reason = f"{NOT_ASKED}: only where {' and '.join(wanted)}"
    said = np.where(new.asked, "ok", reason)
    return pa.array(said, pa.string(), mask=~(good & new.decided))


def _either(tonight: npt.NDArray[np.bool_], new: pa.Array, old: pa.ChunkedArray) -> pa.Array:
    both = [
        n if t else o for t, n, o in zip(tonight, new.to_pylist(), old.to_pylist(), strict=True)
    ]
    return pa.array(both, new.type)
