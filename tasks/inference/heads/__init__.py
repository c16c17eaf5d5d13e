"""Kinds of score, a file each. A head describes its options, plans a score and computes it.

A head is a module with

- `Options`: the pydantic model of what a job may say about a score of the kind; its `kind` is a
  Literal with the name of the module, or of the entry point in the group `nocturna.heads`.
- `claims(values)`: whether a description without `kind` is of this kind.
- `plan(name, options, language, resolve)`: the `ScorePlan` of a score: models pinned by `resolve`,
  labels, settings.
- `examine(plan)`: refuses models that cannot be loaded as their authors meant; notes on others.
- `readers(plan)`: the tokenizers that read the texts, to tell those that cannot be read.
- `compute(plan, texts, long, run)`: the `HeadScores` of many texts.
- `passes(plan)`: how often a text is read for a score, for the progress that a person sees.

One that has a network read each text by itself, once, may have `single_pass(plan)`, which tells
how: networks that begin with the same layers then read their texts in one pass. It may be None.

One whose models are networks of its own has `NETWORKS` too: the dotted name of a module that makes
them known to transformers; it is imported before any model is loaded. `MODEL_TYPE` is how the
config.json of such a model calls it, for the line that says of which kind it is.

Only `compute` loads a network; importing a head and planning a score must be cheap.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from nocturna.tasks.registry import registered

if TYPE_CHECKING:
    from nocturna.tasks.inference.models import Resolve
    from nocturna.tasks.inference.running import Running
    from nocturna.tasks.inference.score_plan import HeadScores, Reader, ScorePlan
    from nocturna.tasks.inference.texts import Texts
    from nocturna.tasks.job.base import ScoreOptions
    from nocturna.tasks.job.compute import LongDocuments

GROUP = "nocturna.heads"


class Head(Protocol):
    """What a module in this folder offers."""

    Options: "type[ScoreOptions]"

    def claims(self, values: Mapping[str, Any]) -> bool: ...

    def plan(self, name: str, options: Any, language: str, resolve: "Resolve") -> "ScorePlan": ...

    def examine(self, plan: "ScorePlan") -> list[str]: ...

    def readers(self, plan: "ScorePlan") -> "list[Reader]": ...

    def compute(
        self, plan: "ScorePlan", texts: "Texts", long: "LongDocuments", run: "Running"
    ) -> "HeadScores": ...

    def passes(self, plan: "ScorePlan") -> int: ...


def heads() -> dict[str, Head]:
    """Every kind of score by its name."""
    return cast(dict[str, Head], registered(__name__, GROUP))
