"""What a model's folder says of it in JSON, read without the library that runs it."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.errors import UsageError
from tasks.inference.models import ModelRef

DEFAULT_TEMPERATURE = 0.05


@dataclass(frozen=True)
class Recipe:
    """What a sentence-transformers folder says about its own use.

    Attributes:
        pooling: `mean`, `cls` or `max` over the token embeddings.
        window: most tokens the encoder was made for; None where the folder does not say.
        temperature: softmax temperature for cosine similarities.
    """

    pooling: str
    window: int | None
    temperature: float


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


@dataclass(frozen=True)
class Verdicts:
    """Output positions of an NLI model."""

    entailment: int
    contradiction: int


def nli_verdicts(ref: ModelRef) -> Verdicts:
    """Reads from the model's own label names which output means entailment, which contradiction.

    Raises:
        UsageError: the names do not say; guessing would mis-score in silence.
    """
    labels = classifier_labels(ref)
    found = {}
    for verdict in ("entailment", "contradiction"):
        at = [i for i, label in enumerate(labels) if label.lower().startswith(verdict[:6])]
        if len(at) != 1:
            raise UsageError(
                f"model {ref.name}: its labels {list(labels)} do not name one {verdict} class, so "
                "it cannot do zero-shot by NLI; choose an NLI model, or method: embedding with a "
                "sentence encoder"
            )
        found[verdict] = at[0]
    return Verdicts(**found)


def read_recipe(ref: ModelRef) -> Recipe:
    """Reads pooling, window and temperature from a model folder; a plain encoder is mean-pooled.

    Raises:
        UsageError: the folder asks for a module or a pooling that is not supported.
    """
    folder = Path(ref.folder)
    modules = _read_json(folder / "modules.json") or []
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    unknown = [kind for kind in kinds if kind not in {"Transformer", "Pooling", "Normalize"}]
    if unknown:
        raise UsageError(
            f"model {ref.name}: its module {unknown[0]} is not supported; choose an encoder made "
            "of a transformer and pooling"
        )
    pooling = "mean"
    for module, kind in zip(modules, kinds, strict=True):
        if kind == "Pooling":
            settings = _read_json(folder / module["path"] / "config.json") or {}
            pooling = _pooling_mode(settings, ref)
    sentence = _read_json(folder / "sentence_bert_config.json") or {}
    general = _read_json(folder / "config_sentence_transformers.json") or {}
    return Recipe(
        pooling,
        sentence.get("max_seq_length"),
        float(general.get("similarity_temperature", DEFAULT_TEMPERATURE)),
    )


def _pooling_mode(settings: dict[str, Any], ref: ModelRef) -> str:
    names = {"mean_tokens": "mean", "cls_token": "cls", "max_tokens": "max", "mean": "mean"}
    prefix = "pooling_mode_"
    modes = [
        key.removeprefix(prefix) for key, on in settings.items() if on and key.startswith(prefix)
    ]
    modes = modes or [str(settings.get("pooling_mode", "mean"))]
    if len(modes) != 1 or names.get(modes[0], modes[0]) not in {"mean", "cls", "max"}:
        raise UsageError(f"model {ref.name}: its pooling {modes} is not supported")
    return names.get(modes[0], modes[0])


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _unloadable(ref: ModelRef, reason: str) -> UsageError:
    return UsageError(f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}")
