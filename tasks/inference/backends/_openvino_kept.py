"""Converted networks on disk, by what they were made of: whole, or as good as not there."""

import logging
from importlib.metadata import version
from pathlib import Path

import openvino

from nocturna.tasks.cached import cached_at, holds_whole, keeping, remove_kept
from nocturna.tasks.inference.backends._openvino_weights import Converted, Weights
from nocturna.tasks.inference.models import ModelRef

logger = logging.getLogger(__name__)

CONVERSION = 3
"""Version of what is made of a network and how it is kept; part of its address."""

MODEL, WEIGHTS = "model.xml", "model.bin"


def conversion_at(ref: ModelRef, reading: str, uses_types: bool, int8: bool) -> Path:
    """The folder of a conversion."""
    torch = version("torch").partition("+")[0]  # whichever build of it
    versions = [version("openvino"), torch, version("transformers")]
    return cached_at("openvino", [ref.revision, reading, uses_types, int8, CONVERSION, versions])


def read_conversion(folder: Path) -> Converted | None:
    """A kept conversion; None if there is none. A damaged one is removed."""
    if not holds_whole(folder):
        return None
    try:
        outline = (folder / MODEL).read_text(encoding="utf-8")
        return Weights.kept(folder / WEIGHTS).network(outline)
    except (OSError, ValueError, RuntimeError) as error:
        logger.info("%s: %s", folder, error)
        remove_kept(folder)
        return None


def keep_conversion(model: openvino.Model, folder: Path, ref: ModelRef, reading: str) -> None:
    """Keeps a conversion; a cache that cannot be written is done without."""
    try:
        with keeping(folder, {"model": ref.label, "reading": reading}) as building:
            openvino.save_model(model, building / MODEL, compress_to_fp16=False)
            # a full disk shows only here: the library does not say that it wrote less
            openvino.Core().read_model(building / MODEL)
    except (OSError, RuntimeError) as error:
        logger.info("%s: the converted model is not kept: %s", folder.parent, error)
