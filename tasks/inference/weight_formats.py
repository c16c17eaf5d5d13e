"""In which format a model's weights are, told by the names of its files."""

import os
from collections.abc import Iterable
from pathlib import Path

from nocturna.tasks.errors import UsageError
from nocturna.tasks.pointers import START, pointer_of

SAFETENSORS, TORCH = "safetensors", "torch (weights only)"

_FORMATS = {".safetensors": SAFETENSORS, ".bin": TORCH}

DECIDING = frozenset({".safetensors", ".bin", ".json", ".txt", ".model", ".codes", ".tiktoken"})
"""Endings of the files that decide a score."""


def format_of(files: Iterable[str]) -> str | None:
    """The format of the weights among a model's files: torch's where safetensors are other things.

    Args:
        files: their places in the model's folder; what is in a folder of its own is no network.
    """
    own = [file for file in files if "/" not in file]
    if {"model.safetensors", "model.safetensors.index.json"} & {*own}:
        return SAFETENSORS
    if any(file.startswith("pytorch_model") and file.endswith(".bin") for file in own):
        return TORCH
    return SAFETENSORS if any(file.endswith(".safetensors") for file in own) else None


def refuse_pointers(folder: Path, modules: Iterable[str], name: str) -> None:
    """Refuses what Git leaves in the place of files that it was not asked to fetch.

    Args:
        folder: of the model.
        modules: folders in it that hold parts of the model, as they are named.
        name: of the model.
    """
    for place in dict.fromkeys((folder, *(folder / module for module in modules))):
        own = sorted(path for path in place.glob("*") if path.suffix in DECIDING)
        ours = format_of(path.name for path in own)
        for path in own:
            if path.suffix in _FORMATS and not (
                path.name.startswith(("model", "pytorch_model")) and _FORMATS[path.suffix] == ours
            ):
                continue
            pointer = pointer_of(_start(path))
            if pointer is not None:
                raise UsageError(
                    f"model {name}: {path} is no file of the model but a {pointer[0]} to it; fetch "
                    f"it with `{pointer[1]}`"
                )


def _start(path: Path) -> bytes:
    """The beginning of a file, or where a link leads that leads nowhere."""
    if path.is_symlink() and not path.exists():
        return os.fsencode(path.readlink())
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(START)
