"""OpenVINO: runs a network on a processor, converted once, as fast as its matrix units can."""

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nocturna.tasks.inference.backends import Reading
    from nocturna.tasks.inference.batches import Network
    from nocturna.tasks.inference.models import ModelRef
    from nocturna.tasks.inference.running import Running

SPEED = 2.0
PACKAGES = ("openvino",)


def devices() -> tuple[str, ...]:
    """The processor, where the package is installed."""
    return ("cpu",) if importlib.util.find_spec("openvino") else ()


def precisions(device: str) -> tuple[str, ...]:
    """All of them, also on a processor that gains nothing by it."""
    return ("fp32", "bf16", "int8") if device in devices() else ()


def faster_in(device: str) -> tuple[str, ...]:
    """What this processor has units for."""
    if device not in devices():
        return ()
    from nocturna.tasks.inference.backends._openvino_network import computes_in

    return computes_in()


def load(
    ref: "ModelRef", reading: "Reading", pad_id: int, uses_types: bool, run: "Running"
) -> "Network | None":
    """Compiles a model for this processor; None where its architecture cannot be converted."""
    from nocturna.tasks.inference.backends._openvino_network import load_openvino

    return load_openvino(ref, reading, uses_types, run.precision, run.workers)


def let_go() -> None:
    """Forgets the networks, if any was loaded."""
    if loaded := sys.modules.get(f"{__package__}._openvino_network"):
        loaded.forget()
