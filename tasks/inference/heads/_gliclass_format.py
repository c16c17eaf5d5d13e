"""What a GLiClass model's configuration says, and which of it is known here."""

import math
from functools import lru_cache
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.architectures import PADDABLE
from nocturna.tasks.inference.model_config import model_config
from nocturna.tasks.inference.models import ModelRef

MARK, END = "<<LABEL>>", "<<SEP>>"
"""What stands before each label, and between the labels and the text."""

DEFAULTS: dict[str, Any] = {
    "architecture_type": "uni-encoder",
    "class_token_index": -1,
    "class_token_pooling": "first",
    "embed_class_token": True,
    "encoder_layer_id": -1,
    "extract_text_features": False,
    "max_labels_alloc": "dynamic",
    "max_num_classes": 25,
    "normalize_features": False,
    "pooling_strategy": "first",
    "projector_hidden_act": "gelu",
    "prompt_first": False,
    "scorer_type": "simple",
    "squeeze_layers": False,
    "use_calibrator": False,
    "use_lstm": False,
    "use_segment_embeddings": False,
}
"""What a configuration that does not say it means."""

ENCODER = "deberta-v2"
"""The architecture of an encoder that does not say its own."""

_KNOWN = {
    "architecture_type": ("uni-encoder",),
    "class_token_pooling": ("first",),
    "encoder_layer_id": (-1,),
    "pooling_strategy": ("first", "last", "avg", "max", "sum", "rms", "abs_max", "abs_avg"),
    "scorer_type": ("simple", "weighted-dot", "mlp"),
    **dict.fromkeys(("extract_text_features", "squeeze_layers", "use_calibrator"), (False,)),
    **dict.fromkeys(("use_lstm", "use_segment_embeddings"), (False,)),
}


def most_labels(config: dict[str, Any]) -> float:
    """How many labels one sequence may hold, as the package's own pipeline takes them."""
    told = config["max_labels_alloc"]
    if told == "dynamic":
        return math.inf
    return told if isinstance(told, int) else config["max_num_classes"]


@lru_cache(maxsize=32)
def described(ref: ModelRef) -> dict[str, Any]:
    """The configuration of a GLiClass model, with what it leaves out.

    Raises:
        UsageError: it is none, or is made of parts that are not known here.
    """
    config = {**DEFAULTS, **model_config(ref)}
    encoder = config.get("encoder_config")
    if not isinstance(encoder, dict) or str(config.get("model_type")).lower() != "gliclass":
        raise UsageError(
            f"model {ref.name}: its config.json does not describe a GLiClass model with its "
            "encoder_config; choose one, or another kind for this model"
        )
    for key, known in _KNOWN.items():
        if config[key] not in known:
            raise UsageError(
                f"model {ref.name}: {key} is {config[key]!r} in its config.json, and only "
                f"{' or '.join(map(repr, known))} is known here; choose another model"
            )
    kind = encoder.get("model_type", ENCODER)
    if kind not in PADDABLE:
        raise UsageError(
            f"model {ref.name}: its encoder {kind} is not one that is known to read both ways; "
            "choose another model"
        )
    return config
