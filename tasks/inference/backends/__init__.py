"""Ways to run a network, a file each: only there is one named.

A backend is a module, here or under an entry point of the group `nocturna.backends`, with

- `SPEED`: about how fast it is beside the reference, which is 1: a job that names no backend gets
  the fastest that can do what it asks for. 0 for one that has to be named.
- `PACKAGES`: the packages that decide its numbers; the manifest has their versions.
- `devices()`: the devices of this machine that it runs on, out of `cuda`, `mps` and `cpu`.
- `precisions(device)`: the number formats that it computes in on a device, out of `fp32`, `bf16`
  and `int8`; none where it does not run there. Told without importing what runs the networks.
- `faster_in(device)`: those in which it is faster there than in fp32, slowest first.
- `load(ref, reading, pad_id, uses_types, run)`: a network ready to run, as `make_ready` describes
  it, kept for the life of the process or until `let_go`; None where it would not compute this one
  as its authors meant, so that another backend has to.
- `let_go()`: forgets what it has loaded; it may be left out.

Importing one must be cheap.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from nocturna.tasks.errors import UsageError
from nocturna.tasks.registry import registered

if TYPE_CHECKING:
    from nocturna.tasks.inference.batches import Network
    from nocturna.tasks.inference.models import ModelRef
    from nocturna.tasks.inference.running import Running

GROUP = "nocturna.backends"

REFERENCE = "torch"
"""The backend that runs every model at once, and whose scores in fp32 all others are measured
against."""

AUTO = "auto"
"""What a job says that leaves the choice to us."""

DEVICES = ("cuda", "mps", "cpu")
"""The kinds of device, by preference."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What is read off a model.

    Attributes:
        name: tells this reading from others of the same weights.
        head: with the classification head, or the bare encoder.
        wrap: makes the torch module whose output is wanted from a loaded network, and those of
            the models beside it.
        pack: the same for packed sequences; None where the architecture's parts are not known.
        beside: further models that are read with it, each with its classification head or not.
    """

    name: str
    head: bool
    wrap: Callable[..., Any]
    pack: Callable[..., Any] = lambda *networks: None
    beside: "tuple[tuple[ModelRef, bool], ...]" = ()

    def models(self, ref: "ModelRef") -> "list[tuple[ModelRef, bool]]":
        """Every model that is read, each with its classification head or not."""
        return [(ref, self.head), *self.beside]


class Backend(Protocol):
    """What a module in this folder offers."""

    SPEED: float
    PACKAGES: tuple[str, ...]

    def devices(self) -> tuple[str, ...]: ...

    def precisions(self, device: str) -> tuple[str, ...]: ...

    def faster_in(self, device: str) -> tuple[str, ...]: ...

    def load(
        self, ref: "ModelRef", reading: Reading, pad_id: int, uses_types: bool, run: "Running"
    ) -> "Network | None": ...


def backends() -> dict[str, Backend]:
    """Every backend by its name."""
    return cast(dict[str, Backend], registered(__name__, GROUP))


def packages() -> tuple[str, ...]:
    """The packages that decide the numbers of any backend."""
    return tuple(dict.fromkeys(p for backend in backends().values() for p in backend.PACKAGES))


def pick_backend(wanted: str, device: str, precision: str) -> str:
    """What runs the models: as asked, or with `auto` the fastest that can.

    Raises:
        UsageError: there is no such backend, or it does not compute on this device or in this
            precision.
    """
    known = backends()
    if wanted != AUTO and wanted not in known:
        raise UsageError(f"compute.backend: no backend {wanted!r}; give one of {_listed(known)}")
    there = [name for name, backend in known.items() if backend.precisions(device)]
    if wanted not in (AUTO, *there):
        raise UsageError(
            f"compute.backend: {wanted} does not run on device {device} here; set backend to one "
            f"of {_listed(there)}"
        )
    asked = [name for name in _by_speed(there) if known[name].SPEED] if wanted == AUTO else [wanted]
    for name in asked:
        if precision in known[name].precisions(device):
            return name
    ways = [
        f"backend {name} on device {place}"
        for name, backend in known.items()
        for place in DEVICES
        if precision in backend.precisions(place)
    ]
    own = known[wanted if wanted in known else REFERENCE].precisions(device)
    raise UsageError(
        f"compute.precision: {precision} needs {' or '.join(ways)}; set it to {' or '.join(own)}"
    )


def make_ready(
    ref: "ModelRef", reading: Reading, pad_id: int, uses_types: bool, run: "Running"
) -> "Network":
    """Makes a model ready to run as `run` says; kept for the life of the process.

    Where its backend refuses the model another one takes it, in fp32 if it has not the precision.

    Args:
        ref: what to load.
        reading: what of it is wanted.
        pad_id: token that fills up a batch.
        uses_types: whether the model takes segment ids.
        run: device, backend and precision.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    known = backends()
    able = {name: backend.precisions(run.device) for name, backend in known.items()}
    others = _by_speed([n for n in known if able[n] and known[n].SPEED and n != run.backend])
    for name in [run.backend, *sorted(others, key=lambda n: run.precision not in able[n])]:
        precision = run.precision if run.precision in able[name] else "fp32"
        told = replace(run, backend=name, precision=precision)
        found = known[name].load(ref, reading, pad_id, uses_types, told)
        if found is None:
            continue
        if precision != run.precision:
            _say_once(
                f"model {ref.name}: its architecture does not run in {run.precision} here; it runs "
                f"in {precision}"
            )
        return found
    raise UsageError(f"model {ref.name}: no backend can run it on device {run.device}")


def let_go() -> None:
    """Forgets every network that was made ready; one that is asked for again is loaded anew."""
    for backend in backends().values():
        getattr(backend, "let_go", lambda: None)()


def _by_speed(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: -backends()[name].SPEED)


def _listed(names: Any) -> str:
    return ", ".join([AUTO, *names])


@lru_cache
def _say_once(line: str) -> None:
    _log.warning(line)
