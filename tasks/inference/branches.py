"""Models that begin with the same layers, bit for bit, as one taught on the layers of another does.

What they share is computed once, where both read the same texts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.model_config import model_config, weight_files
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.weight_formats import SAFETENSORS

_KNOWN = frozenset({"bert", "roberta", "xlm-roberta", "camembert"})
"""Model types of which readout and packing know the layers."""

_PREFIX = re.compile(r"(bert|roberta)\.(?=embeddings|encoder)")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
_NOT_OF_LAYERS = frozenset(
    {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
    | {"id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "use_cache"}
    | {"num_hidden_layers", "classifier_dropout", "hidden_dropout_prob", "initializer_range"}
    | {"attention_probs_dropout_prob", "tie_word_embeddings", "is_decoder", "add_cross_attention"}
)
"""What a configuration says that changes nothing in what a layer computes."""


@lru_cache(maxsize=64)
def shared_layers(one: ModelRef, other: ModelRef) -> int:
    """How many layers two models begin with alike, after the same embeddings; 0 if they do not.

    Only for architectures whose layers are known, and weights in safetensors files.
    """
    if _described(one) is None or _described(one) != _described(other):
        return 0
    ours, theirs = _stored(one), _stored(other)
    parts = sorted({_part(name) for name in ours} - {None}, key=lambda part: part or 0)
    same = 0
    for expected, part in enumerate(parts):
        names = [name for name in ours if _part(name) == part]
        if part != expected or set(names) != {name for name in theirs if _part(name) == part}:
            break
        if not all(ours[name].is_same(theirs[name]) for name in names):
            break
        same = expected
    return same


def together(readings: tuple[tuple[ModelRef, Reading], ...]) -> Reading | None:
    """One reading of several models, their outputs side by side; None if they do not begin alike.

    Its weights are those of the first model, and of the others beside it.
    """
    (first, _), *others = readings
    shared = min((shared_layers(first, other) for other, _ in others), default=0)
    return _together(readings, shared) if shared else None


@lru_cache(maxsize=16)
def _together(readings: tuple[tuple[ModelRef, Reading], ...], shared: int) -> Reading:
    (_, own), *others = readings
    names = [own.name, *(f"{reading.name} of {ref.revision}" for ref, reading in others)]

    def wrap(*networks: Any) -> Any:
        from nocturna.tasks.inference.readout import Together

        return Together([r.wrap(n) for (_, r), n in zip(readings, networks, strict=True)], shared)

    def pack(*networks: Any) -> Any:
        from nocturna.tasks.inference.readout import packed_together

        packed = [r.pack(n) for (_, r), n in zip(readings, networks, strict=True)]
        return None if None in packed else packed_together(packed, shared)

    return Reading(
        name=f"{' and '.join(names)} after {shared}",
        head=own.head,
        wrap=wrap,
        pack=pack,
        beside=tuple((ref, reading.head) for ref, reading in others),
    )


@dataclass(frozen=True)
class _Stored:
    """A tensor in a safetensors file: where it is, and as what."""

    path: Path
    kind: tuple[str, tuple[int, ...]]
    start: int
    stop: int

    def is_same(self, other: "_Stored") -> bool:
        if self.kind != other.kind:
            return False
        if self.start == other.start and self.path.samefile(other.path):
            return True
        return bool(np.array_equal(self._bytes(), other._bytes()))

    def _bytes(self) -> NDArray[np.uint8]:
        size = self.stop - self.start
        return (
            np.memmap(self.path, np.uint8, "r", self.start, (size,)) if size else np.empty(0, "u1")
        )


def _described(ref: ModelRef) -> dict[str, Any] | None:
    """What decides how a model's layers compute; None for one whose layers are not known."""
    config = model_config(ref)
    if config.get("model_type") not in _KNOWN or ref.weights != SAFETENSORS:
        return None
    if config.get("is_decoder") or config.get("add_cross_attention"):
        return None
    return {key: value for key, value in config.items() if key not in _NOT_OF_LAYERS}


def _stored(ref: ModelRef) -> dict[str, _Stored]:
    """The tensors of a model by their names in the bare network.

    Empty where two have the same name there: which of them is loaded is not known here.
    """
    found = [one for path in weight_files(ref) for one in _tensors(path)]
    named = dict(found)
    return named if len(named) == len(found) else {}


def _tensors(path: Path) -> Iterator[tuple[str, _Stored]]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    for name, told in header.items():
        if name != "__metadata__" and not name.endswith("position_ids"):
            start, stop = (8 + size + at for at in told["data_offsets"])
            kind = (told["dtype"], tuple(told["shape"]))
            yield _PREFIX.sub("", name, count=1), _Stored(path, kind, start, stop)


def _part(name: str) -> int | None:
    """0 for a tensor of the embeddings, the number of its layer from 1 on, None for any other."""
    if name.startswith("embeddings."):
        return 0
    layer = _LAYER.match(name)
    return int(layer[1]) + 1 if layer else None
