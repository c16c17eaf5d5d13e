"""torch: runs every network on any device, at once; on a GPU in bf16 also packed end to end."""

import ctypes
import importlib.util
import runpy
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nocturna.tasks.inference.backends import Reading
    from nocturna.tasks.inference.batches import Network
    from nocturna.tasks.inference.models import ModelRef
    from nocturna.tasks.inference.running import Running

SPEED = 1.0
PACKAGES = ("torch",)


@cache
def devices() -> tuple[str, ...]:
    """The GPU that torch can use here, and the processor."""
    if not _may_have_gpu():
        return ("cpu",)
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return (*(name for name, there in present.items() if there), "cpu")


def precisions(device: str) -> tuple[str, ...]:
    """The same on every device; bf16 is slower than fp32 on a processor."""
    return ("fp32", "bf16")


def faster_in(device: str) -> tuple[str, ...]:
    """On a GPU, bf16."""
    return () if device == "cpu" else ("bf16",)


def load(
    ref: "ModelRef", reading: "Reading", pad_id: int, uses_types: bool, run: "Running"
) -> "Network":
    """Loads a network with the calling thread's share of the cores; kept for the next shards."""
    from nocturna.tasks.inference.backends._torch_network import load_torch

    return load_torch(ref, reading, pad_id, run)


def let_go() -> None:
    """Forgets the networks, if any was loaded."""
    if loaded := sys.modules.get(f"{__package__}._torch_network"):
        loaded.forget()


def _may_have_gpu() -> bool:
    """Whether it is worth the seconds of importing torch to ask it for a GPU.

    A build of torch for the CPU has none, nor has a machine without the driver that torch loads.
    """
    if sys.platform == "darwin":
        return True
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    built_for = runpy.run_path(str(Path(spec.origin).with_name("version.py")))
    if built_for.get("hip") and Path("/dev/kfd").exists():
        return True
    with suppress(OSError):
        return bool(built_for.get("cuda") and ctypes.CDLL("libcuda.so.1"))
    return False
