"""Conversions that come with Nocturna: without their weights, which are those of the model's file.

A conversion of a network holds the tensors of the model in fp32, and a few small constants of its
own. Only where each tensor goes is kept, and the constants; the hash of the whole says that what is
put together is what was converted and checked, to the bit.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from nocturna.tasks.cached import PREPARED
from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.backends._openvino_kept import MODEL, WEIGHTS
from nocturna.tasks.inference.backends._openvino_weights import Converted, Weights
from nocturna.tasks.inference.models import ModelRef

_OUTLINE, _CONSTANTS, _PARTS = "model.xml.gz", "constants.bin", "parts.json"
_SPAN = re.compile(r'offset="(\d+)" size="(\d+)"')


def read_prepared(kept: Path, ref: ModelRef, reading: Reading) -> Converted | None:
    """The conversion that would be kept at a path; None if it does not come with Nocturna.

    Args:
        kept: where the conversion would be in the cache.
        ref: the model that it is of.
        reading: what of it, and of which models beside it.
    """
    folder = PREPARED / kept.parent.name / kept.name
    if not folder.is_dir():
        return None
    parts = json.loads((folder / _PARTS).read_text(encoding="utf-8"))
    weights = Weights.made(sum(size for _, size in parts["parts"]))
    constants = np.frombuffer((folder / _CONSTANTS).read_bytes(), np.uint8)
    room = weights.bytes
    tensors = _Tensors([Path(model.folder) for model, _ in reading.models(ref)])
    for name, size in parts["parts"]:
        place, room = room[:size], room[size:]
        if name is None:
            place[:], constants = constants[:size], constants[size:]
        else:
            place.view(np.float32)[:] = tensors[name].reshape(-1)
    if hashlib.sha256(weights.bytes.data).hexdigest() != parts["sha256"]:
        return None
    outline = gzip.decompress((folder / _OUTLINE).read_bytes()).decode()
    return weights.network(outline)


def prepare(kept: Path, models: Sequence[Path], folder: Path) -> None:
    """Takes the models' own weights out of a kept conversion.

    Args:
        kept: folder of the conversion in the cache.
        models: folders of the models that it is of, in the order of the reading.
        folder: where the rest goes; made new.

    Raises:
        ValueError: the conversion's file holds more than its outline says.
    """
    outline, weights = (kept / MODEL).read_bytes(), (kept / WEIGHTS).read_bytes()
    tensors = _Tensors(models)
    names = {tensors[name].astype(np.float32).tobytes(): name for name in tensors.files}
    spans = sorted({(int(at), int(size)) for at, size in _SPAN.findall(outline.decode())})
    end, parts, constants = 0, [], b""
    for at, size in spans:
        if at != end:
            raise ValueError(f"{kept}: nothing tells what its bytes {end} to {at} are")
        piece, end = weights[at : at + size], at + size
        name = names.get(piece)
        parts.append((name, size))
        constants += b"" if name else piece
    folder.mkdir(parents=True)
    (folder / _OUTLINE).write_bytes(gzip.compress(outline, mtime=0))
    (folder / _CONSTANTS).write_bytes(constants)
    told = {"sha256": hashlib.sha256(weights).hexdigest(), "parts": parts}
    (folder / _PARTS).write_text(json.dumps(told), encoding="utf-8")


class _Tensors:
    """The weights of models by the number of the model and their name in it, one read at a time."""

    def __init__(self, models: Sequence[Path]) -> None:
        self.files: dict[str, Any] = {}
        for number, folder in enumerate(models):
            for path in sorted(folder.glob("*.safetensors")):
                file = safe_open(path, "numpy")
                names = file.keys()
                self.files |= {f"{number} {name}": file for name in names}

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        found: NDArray[np.generic] = self.files[name].get_tensor(name.partition(" ")[2])
        return found
