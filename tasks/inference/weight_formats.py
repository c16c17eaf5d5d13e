"""In which format a model's weights are, told by the names of its files."""

from collections.abc import Iterable
from pathlib import Path

from nocturna.tasks.errors import UsageError
from nocturna.tasks.pointers import START, pointer_of

SAFETENSORS, TORCH = "safetensors", "torch (weights only)"


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


def refuse_pointers(folder: Path, weights: str, name: str) -> None:
    """Refuses what Git leaves in the place of weights that it was not asked to fetch."""
    pattern = "model*.safetensors" if weights == SAFETENSORS else "pytorch_model*.bin"
    for path in folder.glob(pattern):
        with path.open("rb") as stream:
            pointer = pointer_of(stream.read(START))
        if pointer is not None:
            raise UsageError(
                f"model {name}: {path} is no weights but a pointer to them; fetch them with "
                f"`{pointer[1]}`"
            )
