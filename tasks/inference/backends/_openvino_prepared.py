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

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nocturna.tasks.cached import PREPARED
from nocturna.tasks.inference.backends import Reading
from nocturna.tasks.inference.backends._openvino_kept import MODEL, WEIGHTS, as_converted
from nocturna.tasks.inference.models import ModelRef

_OUTLINE, _CONSTANTS, _PARTS = "model.xml.gz", "constants.bin", "parts.json"
_SPAN = re.compile(r'offset="(\d+)" size="(\d+)"')


def read_prepared(kept: Path, ref: ModelRef, reading: Reading) -> openvino.Model | None:
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
    tensors = _tensors([Path(model.folder) for model, _ in reading.models(ref)])
    constants = memoryview((folder / _CONSTANTS).read_bytes())
    pieces: list[bytes | memoryview] = []
    for name, size in parts["parts"]:
        if name is None:
            pieces.append(constants[:size])
            constants = constants[size:]
        else:
            pieces.append(tensors[name].astype(np.float32).tobytes())
    weights = b"".join(pieces)
    if hashlib.sha256(weights).hexdigest() != parts["sha256"]:
        return None
    outline = gzip.decompress((folder / _OUTLINE).read_bytes())
    return as_converted(openvino.Core().read_model(outline, weights))


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
    tensors = _tensors(models)
    names = {values.astype(np.float32).tobytes(): name for name, values in tensors.items()}
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


def _tensors(models: Sequence[Path]) -> dict[str, NDArray[np.generic]]:
    """The weights of models by the number of the model and their name in it."""
    return {
        f"{number} {name}": values
        for number, folder in enumerate(models)
        for path in sorted(folder.glob("*.safetensors"))
        for name, values in load_file(path).items()
    }
