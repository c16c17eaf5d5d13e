"""Converted networks on disk, by what they were made of: whole, or as good as not there."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import openvino

from nocturna.tasks.cached import cached_at, note_use
from nocturna.tasks.inference.models import ModelRef

logger = logging.getLogger(__name__)

CONVERSION = 3
"""Version of what is made of a network and how it is kept; part of its address."""

MODEL, WEIGHTS, _ABOUT = "model.xml", "model.bin", "about.json"


def conversion_at(ref: ModelRef, reading: str, uses_types: bool, int8: bool) -> Path:
    """The folder of a conversion."""
    torch = version("torch").partition("+")[0]  # whichever build of it
    versions = [version("openvino"), torch, version("transformers")]
    return cached_at("openvino", [ref.revision, reading, uses_types, int8, CONVERSION, versions])


def read_conversion(folder: Path) -> openvino.Model | None:
    """A kept conversion; None if there is none. A damaged one is removed."""
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["sha256"] == _digests(folder):
            note_use(folder)
            return as_converted(openvino.Core().read_model(folder / MODEL))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        logger.info("%s: %s", folder, error)
    logger.info("%s: the kept conversion is damaged; it is made anew", folder)
    _remove(folder)
    return None


def as_converted(model: openvino.Model) -> openvino.Model:
    """A model that was read from a file, told again what its converter said and no file holds.

    Its divisions stay divisions: by the reciprocal, a distance that DeBERTa-v2 rounds up to a
    bucket lands in the next one.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Divide":
            node.get_rt_info()["nonconvertable_divide_0"] = True
    return model


def keep_conversion(model: openvino.Model, folder: Path, ref: ModelRef, reading: str) -> None:
    """Keeps a conversion; a cache that cannot be written is done without."""
    try:
        with _building(folder) as building:
            openvino.save_model(model, building / MODEL, compress_to_fp16=False)
            # a full disk shows only here: the library does not say that it wrote less
            openvino.Core().read_model(building / MODEL)
            about = {"model": ref.label, "reading": reading, "sha256": _digests(building)}
            (building / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            building.rename(folder)
    except (OSError, RuntimeError) as error:
        if not folder.is_dir():
            logger.info("%s: the converted model is not kept: %s", folder.parent, error)


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A new folder beside the one that it becomes, removed if it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Takes a folder away in one step, so that no other process finds a part of it."""
    with suppress(OSError), _building(folder) as aside:
        folder.rename(aside / folder.name)


def _digests(folder: Path) -> list[str]:
    found = []
    for name in (MODEL, WEIGHTS):
        with (folder / name).open("rb") as stream:
            found.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return found
