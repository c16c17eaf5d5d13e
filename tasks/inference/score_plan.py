"""One score of a run as it will be computed, and what computing it gives."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nocturna.tasks.inference.models import ModelRef

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.tokens import TextTokenizer

PREPROCESSING = 2
"""Version of everything between text and score that this code decides; part of every config."""

LANGUAGE = "language"
"""What a score's `when` calls the language of the text."""


@dataclass(frozen=True)
class ScorePlan:
    """All that decides one score, frozen before any work.

    Attributes:
        name: of the score and of its column.
        kind: the head that computes it.
        models: exact weights by their part in it; `model` is the one that scores.
        labels: in the order of the scores; none where a document brings its own or where the
            score is one number.
        settings: what else decides the scores: template, temperature and the like; plain values.
        gives: a score for each of `labels`, one `number`, or a score for each of a document's own
            `choices`.
        sums_to_one: whether a document's scores are shares of one whole.
        asked: labels that get a score for a document, where that is not all of them.
        choices: the source column of a document's own labels.
        when: what must be so for a document to be scored: the language, or labels of other scores.
        config: sixteen hex digits; equal if and only if the scores of a text are meant to be equal.
    """

    name: str
    kind: str
    models: dict[str, ModelRef]
    labels: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    gives: Literal["labels", "number", "choices"] = "labels"
    sums_to_one: bool = True
    asked: int | None = None
    choices: str | None = None
    when: dict[str, tuple[str, ...]] = field(default_factory=dict)
    config: str = ""

    @property
    def model(self) -> ModelRef:
        """The model that scores."""
        return self.models["model"]

    @property
    def threshold(self) -> float | None:
        """Least score that a document's label must have, where there is one."""
        found: float | None = self.settings.get("threshold")
        return found

    @property
    def pair(self) -> str | None:
        """The source column of the text that each is read together with, where there is one."""
        found: str | None = self.settings.get("text_pair")
        return found

    @property
    def after(self) -> tuple[str, ...]:
        """The scores that must be known before this one."""
        return tuple(name for name in self.when if name != LANGUAGE)


@dataclass(frozen=True)
class HeadScores:
    """Scores of n texts, in their order.

    Attributes:
        values: shape (n, labels), NaN for labels that a text was not asked about; (n, 1) for a
            number; (n, most choices) for choices, NaN beyond those of a text.
        n_tokens: tokens of each text by the scoring model's tokenizer, without special ones, (n,).
        n_windows: windows each text was read in, (n,).
        truncated: whether tokens were left unread, (n,).
    """

    values: "NDArray[np.float32]"
    n_tokens: "NDArray[np.int64]"
    n_windows: "NDArray[np.int64]"
    truncated: "NDArray[np.bool_]"


@dataclass(frozen=True)
class Reader:
    """A tokenizer that reads texts for a score.

    Attributes:
        model: what the job calls the model that it belongs to.
    """

    model: str
    tokenizer: "TextTokenizer"


def config_of(plan: ScorePlan, shared: dict[str, Any], known: dict[str, str]) -> str:
    """The config of a score.

    Args:
        shared: what decides all scores of a run: precision, windows.
        known: configs of the scores that this one's `when` names: where their labels may change,
            so may the documents that it is for.
    """
    decisive = {
        "preprocessing": PREPROCESSING,
        "kind": plan.kind,
        "models": {part: model.revision for part, model in plan.models.items()},
        "labels": plan.labels,
        "settings": plan.settings,
        "choices": plan.choices,
        "when": plan.when,
        "after": {name: known[name] for name in plan.after},
        **shared,
    }
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
