"""What a model's folder says of it in JSON, read without the library that runs it."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.errors import UsageError
from tasks.inference.models import ModelRef


@lru_cache(maxsize=32)
def model_config(ref: ModelRef) -> dict[str, Any]:
    """The `config.json` of a model.

    Raises:
        UsageError: there is none, or it is not a JSON object.
    """
    path = Path(ref.folder) / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _unloadable(ref, "it holds no config.json") from None
    except (OSError, ValueError) as error:
        raise _unloadable(ref, f"its config.json cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise _unloadable(ref, "its config.json is no JSON object")
    return found


def classifier_labels(ref: ModelRef) -> tuple[str, ...]:
    """The label names of a sequence-classification model, by output position.

    Names that the configuration leaves out are transformers' own: two, `LABEL_0` and `LABEL_1`.

    Raises:
        UsageError: it has fewer than two outputs or is a regression.
    """
    config = model_config(ref)
    named = config.get("id2label")
    try:
        if named is None:
            labels = tuple(f"LABEL_{i}" for i in range(int(config.get("num_labels", 2))))
        else:
            by_position = {int(position): str(label) for position, label in named.items()}
            labels = tuple(by_position[i] for i in range(len(by_position)))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _unloadable(ref, "the id2label of its config.json is no list of labels") from None
    if len(labels) < 2 or config.get("problem_type") == "regression":
        raise UsageError(f"model {ref.name}: not a classifier: it has no two labels to choose from")
    return labels


def is_independent(ref: ModelRef) -> bool:
    """Whether each label of a classifier has a probability of its own."""
    return bool(model_config(ref).get("problem_type") == "multi_label_classification")


def _unloadable(ref: ModelRef, reason: str) -> UsageError:
    return UsageError(f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}")
