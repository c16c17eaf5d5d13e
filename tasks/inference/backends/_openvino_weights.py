"""Weights in the pages of a file: memory that goes back to the system once they are packed.

What a network computes with is packed anew for the processor; of the weights as they were read only
the few that are not, such as embeddings, are looked at again, and come back from the file.
"""

import mmap
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray


class Weights:
    """Bytes that a network is read from.

    Attributes:
        bytes: shape (size,).
    """

    def __init__(self, pages: mmap.mmap | None, size: int) -> None:
        self._pages = pages
        self.bytes: NDArray[np.uint8] = (
            np.empty(size, np.uint8) if pages is None else np.frombuffer(pages, np.uint8)
        )

    @classmethod
    def kept(cls, path: Path) -> "Weights":
        """Those of a file that nobody changes; what is written to them stays here."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if size else None, size)

    @classmethod
    def made(cls, size: int) -> "Weights":
        """Room for some, in a file without a name; in plain memory where none can be had."""
        try:
            with tempfile.TemporaryFile() as file:
                os.posix_fallocate(file.fileno(), 0, size)
                return cls(mmap.mmap(file.fileno(), size), size)
        except (OSError, AttributeError):
            return cls(None, size)

    def network(self, outline: str) -> "Converted":
        """The network that an outline makes of them, told again what no file holds.

        Its divisions stay divisions: by the reciprocal, a distance that DeBERTa-v2 rounds up to a
        bucket lands in the next one.
        """
        tensor = openvino.Tensor(self.bytes, shared_memory=True)
        model = openvino.Core().read_model(outline, tensor)
        for node in model.get_ordered_ops():
            if node.get_type_name() == "Divide":
                node.get_rt_info()["nonconvertable_divide_0"] = True
        return Converted(model, self)

    def let_go(self) -> None:
        """Gives their memory back to the system, where it can be asked to take it."""
        advise: Callable[[int], None] | None = getattr(self._pages, "madvise", None)
        if advise and hasattr(mmap, "MADV_DONTNEED"):
            advise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Converted:
    """A network before it is compiled.

    Attributes:
        weights: those it was read from; None for one that was converted just now.
    """

    model: openvino.Model
    weights: Weights | None = None
