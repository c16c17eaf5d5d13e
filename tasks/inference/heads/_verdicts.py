"""Which outputs of an NLI model mean what, read off its own label names."""

import re
from dataclasses import dataclass

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.model_config import classifier_labels
from nocturna.tasks.inference.models import ModelRef

_ENTAILS = re.compile(r"(^|[^a-z])(entail|implica|implies|implied)", re.IGNORECASE)
_CONTRADICTS = re.compile(r"(^|[^a-z])(contradic|kontradi)", re.IGNORECASE)
_DENIES = re.compile(r"(^|[^a-z])(not?|non|un|dis)([^a-z]|$)|^(non|not)entail", re.IGNORECASE)


@dataclass(frozen=True)
class Verdicts:
    """Output positions of an NLI model.

    Attributes:
        against: what entailment is weighed against: contradiction, or the other of two classes.
    """

    entailment: int
    against: int


def nli_verdicts(ref: ModelRef) -> Verdicts:
    """Reads from the model's own label names which output means entailment, which contradiction.

    Raises:
        UsageError: the names do not say; guessing would mis-score in silence.
    """
    labels = classifier_labels(ref)
    entailing = [i for i, label in enumerate(labels) if _says(_ENTAILS, label)]
    opposing = [i for i, label in enumerate(labels) if _says(_CONTRADICTS, label)]
    if len(entailing) == 1 and len(labels) == 2:
        return Verdicts(entailing[0], 1 - entailing[0])
    for verdict, at in (("entailment", entailing), ("contradiction", opposing)):
        if len(at) != 1:
            raise UsageError(
                f"model {ref.name}: its labels {list(labels)} do not name one {verdict} class, so "
                "it cannot do zero-shot by NLI; choose an NLI model, or kind: embedding with a "
                "sentence encoder"
            )
    return Verdicts(entailing[0], opposing[0])


def _says(verdict: re.Pattern[str], label: str) -> bool:
    return bool(verdict.search(label)) and not _DENIES.search(label)
