"""What a model's folder says of it, read without the library that runs it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.weight_formats import SAFETENSORS

_OTHER_HEADS = ("ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice")
_UNNAMED = re.compile(r"LABEL_\d+")


@lru_cache(maxsize=32)
def model_config(ref: ModelRef) -> dict[str, Any]:
    """The `config.json` of a model.

    Raises:
        UsageError: there is none, or it is not a JSON object.
    """
    path = Path(ref.folder) / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unloadable(ref, f"its config.json cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise _unloadable(ref, "its config.json is no JSON object")
    return found


def refuse_other_network(ref: ModelRef, head: bool) -> None:
    """Refuses a model that its config.json calls something else than what it would be loaded as.

    Heads for tokens, answers and choices have parameters of the same names as one for texts.

    Args:
        ref: the model.
        head: whether it is to be a classifier of texts.

    Raises:
        UsageError: it was trained for something else, or needs code of its own.
    """
    from nocturna.tasks.inference.heads import heads

    config = model_config(ref)
    for kind, one in heads().items():
        if getattr(one, "MODEL_TYPE", None) == config.get("model_type", ""):
            raise UsageError(f"model {ref.name}: is one for `kind: {kind}`, with `labels`; say so")
    named = config.get("architectures")
    called = str(named[0]) if isinstance(named, list) and named else ""
    if head and called.endswith(_OTHER_HEADS):
        raise UsageError(
            f"model {ref.name}: by its config.json it is a {called}, which was not trained to "
            "classify texts; choose a sequence-classification model"
        )
    if config.get("auto_map") and called and called not in _transformers_names():
        raise UsageError(
            f"model {ref.name}: its network {called} is code of its own (auto_map in its "
            "config.json), which is never run; choose another model"
        )


def _transformers_names() -> frozenset[str]:
    import transformers

    return frozenset(dir(transformers))


def weight_files(ref: ModelRef) -> list[Path]:
    """The files that hold a model's weights: one, or those that an index lists.

    Raises:
        OSError: there are none under the names that transformers knows.
    """
    stem = "model.safetensors" if ref.weights == SAFETENSORS else "pytorch_model.bin"
    folder = Path(ref.folder)
    index = folder / f"{stem}.index.json"
    if (folder / stem).is_file() or not index.is_file():
        return [folder / stem]
    listed = json.loads(index.read_text(encoding="utf-8")).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(at, str) for at in listed.values()):
        listed = None
    if not listed:
        raise _unloadable(ref, f"{index.name} lists no weights; copy the whole folder again")
    return [folder / name for name in sorted(set(listed.values()))]


@dataclass(frozen=True)
class Outputs:
    """What the outputs of a sequence-classification model are.

    Attributes:
        labels: the model's own names, by position; none where the output is one number.
        independent: whether each output is a probability by itself.
        raw: whether the output is a number as it is.
    """

    labels: tuple[str, ...]
    independent: bool = False
    raw: bool = False

    @property
    def count(self) -> int:
        """How many numbers the network gives for a text."""
        return max(1, len(self.labels))


def classifier_outputs(ref: ModelRef) -> Outputs:
    """What a sequence-classification model gives, as its configuration says.

    Names that the configuration leaves out are transformers' own: two, `LABEL_0` and `LABEL_1`.

    Raises:
        UsageError: its names do not tell its outputs apart, or it is a regression of several
            numbers.
    """
    config = model_config(ref)
    named, problem = config.get("id2label"), config.get("problem_type")
    if named is not None and not isinstance(named, dict):
        raise _unloadable(ref, "id2label in its config.json is not an object of names by position")
    if isinstance(named, dict):
        labels = _names(ref, named)
    else:
        count = config.get("num_labels", 2)
        labels = tuple(f"LABEL_{i}" for i in range(count if isinstance(count, int) else 2))
    if problem == "regression" and len(labels) > 1:
        raise UsageError(f"model {ref.name}: a regression of several numbers is no score")
    if len(labels) < 2:
        return Outputs((), independent=problem != "regression", raw=problem == "regression")
    return Outputs(labels, independent=problem == "multi_label_classification")


def classifier_labels(ref: ModelRef) -> tuple[str, ...]:
    """The label names of a sequence-classification model, by output position.

    Raises:
        UsageError: it has fewer than two outputs, is a regression, or its names do not tell its
            outputs apart.
    """
    labels = classifier_outputs(ref).labels
    if not labels:
        raise UsageError(f"model {ref.name}: not a classifier: it has no two labels to choose from")
    return labels


def _names(ref: ModelRef, named: dict[str, Any]) -> tuple[str, ...]:
    wrong = f"model {ref.name}: its config.json does not tell its outputs apart: id2label"
    mend = "write a name of its own for each output, from 0 on"
    seen: set[str] = set()
    for position, label in named.items():
        if not isinstance(label, str) or not label.strip():
            raise UsageError(f"{wrong} has {label!r} for {position}, which is no name; {mend}")
        if label.strip() in seen:
            raise UsageError(f"{wrong} has {label.strip()!r} twice; {mend}")
        seen.add(label.strip())
    positions = [str(i) for i in range(len(named))]
    if sorted(named) != sorted(positions):
        raise UsageError(f"{wrong} has the keys {', '.join(map(str, named))}; {mend}")
    return tuple(named[position] for position in positions)


def unnamed(labels: Iterable[str]) -> bool:
    """Whether the labels are those that transformers makes up where a model names none."""
    return all(_UNNAMED.fullmatch(label) for label in labels)


def _unloadable(ref: ModelRef, reason: str) -> UsageError:
    return UsageError(f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}")
