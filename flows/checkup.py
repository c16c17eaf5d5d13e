"""What this machine has for a night, and what is missing: each fact by itself, in plain words."""

import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from nocturna.tasks.settings import cache_folder

if TYPE_CHECKING:
    from packaging.requirements import Requirement

FINE, NOTE, WRONG = "fine", "note", "wrong"

LEAST_MEMORY, LEAST_DISK = 4e9, 5e9
"""Bytes below which a night may not get through: two models and their texts; their weights."""

_SECONDS = 5.0
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
"""What decides how fast bf16 and int8 are on a processor."""


@dataclass(frozen=True)
class Finding:
    """One fact.

    Attributes:
        about: what it is about.
        state: fine, note (something can be better) or wrong (a night would fail).
        said: what there is.
        todo: what to do, where there is anything to do.
    """

    about: str
    state: str
    said: str
    todo: str | None = None


def check_machine(out: Path, hub: bool = False) -> list[Finding]:
    """Looks at packages, processor, GPU, memory, disk, models, key and engine.

    Nothing leaves the machine, unless the Hub is asked for.

    Args:
        out: folder of the output folders.
        hub: whether to ask the Hub whether it can be reached.
    """
    found = [_python(), *_packages(), *_processor(), _memory()]
    found += [_disk("output", out), _disk("cache", cache_folder())]
    return [*found, _writable(out), *_models(), _hub(hub), _key(), _engine()]


def _python() -> Finding:
    return Finding("python", FINE, ".".join(map(str, sys.version_info[:3])))


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    own = [Requirement(line) for line in requires("nocturna") or ()]
    yield packages_there(r for r in own if r.marker is None or r.marker.evaluate({"extra": ""}))
    for extra in _extras():
        wanted = [r for r in own if r.marker and r.marker.evaluate({"extra": extra})]
        missing = any(_lacks(r) for r in wanted)
        todo = f'where it is wanted: pip install "nocturna[{extra}]"' if missing else None
        said = f"extra {extra} is {'not ' if missing else ''}installed"
        yield Finding("packages", NOTE if missing else FINE, said, todo)


def _extras() -> list[str]:
    """What may be installed for its users, besides what developers need."""
    names = metadata("nocturna").get_all("Provides-Extra") or []
    return sorted({*names} - {"dev", "train"})


def packages_there(needed: "Iterable[Requirement]") -> Finding:
    """Whether every package that is needed is installed, in a version that will do."""
    listed = list(needed)
    lacking = {str(r): why for r in listed if (why := _lacks(r))}
    if lacking:
        said = ", ".join(f"{name} ({why})" for name, why in lacking.items())
        names = " ".join(f'"{name}"' for name in lacking)
        return Finding("packages", WRONG, said, f"pip install {names}")
    return Finding("packages", FINE, f"all {len(listed)} that are needed are installed")


def _lacks(needed: "Requirement") -> str | None:
    """Why a package will not do; None if it will."""
    try:
        there = version(needed.name)
    except PackageNotFoundError:
        return "not installed"
    fits = needed.specifier.contains(there, prereleases=True)
    return None if fits else f"{there} is installed"


def _processor() -> Iterator[Finding]:
    from nocturna.tasks.inference.device import device_name, pick_device, usable_precisions
    from nocturna.tasks.job.compute import Compute
    from nocturna.tasks.results.machine import machine_facts

    facts = machine_facts("cpu")
    flags = _flags()
    has = [feature for feature in _FEATURES if feature in flags]
    said = f"{facts['processor']}, {facts['cores']} cores, {' '.join(has) or 'no vector features'}"
    yield Finding("processor", FINE, said)
    device = pick_device("auto")
    faster = ", ".join(usable_precisions(Compute(device=device)))
    yield Finding("models run on", FINE, f"{device_name(device)}; worth while: {faster}")
    if device == "cpu" and shutil.which("nvidia-smi"):
        todo = "install the build of torch for its CUDA, then run this again"
        yield Finding("gpu", NOTE, "there is an NVIDIA driver, and torch cannot use it", todo)


def _flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def _memory() -> Finding:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = f"{whole / 1e9:,.1f} GB"
    if whole < LEAST_MEMORY:
        return Finding(
            "memory", NOTE, said, "little for more than one model; set compute.workers: 1"
        )
    return Finding("memory", FINE, said)


def _disk(about: str, folder: Path) -> Finding:
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:,.1f} GB free for {about} at {folder}"
    if free < LEAST_DISK:
        return Finding("disk", NOTE, said, "free some, or choose another place for it")
    return Finding("disk", FINE, said)


def _writable(out: Path) -> Finding:
    there = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    if not there.is_dir():
        return Finding("output", WRONG, f"{there} is a file", "name another folder with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        todo = "change its owner, or name another folder with --out"
        return Finding("output", WRONG, f"{there} may not be written", todo)
    jobs = [path.parent.name for path in sorted(out.glob("*/runs"))]
    return Finding("output", FINE, f"{out}: {len(jobs)} jobs" + "".join(f", {j}" for j in jobs[:5]))


def _models() -> Iterator[Finding]:
    from huggingface_hub.constants import HF_HUB_CACHE

    from nocturna.tasks.inference.models import BUNDLED_MODELS

    needed = (file for f in BUNDLED_MODELS.values() for file in (f / "config.json", *f.glob("*")))
    lost = [str(file) for file in needed if not file.exists()]  # also what a link led to
    if lost:
        yield Finding("models", WRONG, f"bundled ones are gone: {', '.join(lost)}", "install again")
    else:
        yield Finding("models", FINE, f"{len(BUNDLED_MODELS)} bundled ones are there")
    names = [p.name[8:].replace("--", "/") for p in sorted(Path(HF_HUB_CACHE).glob("models--*"))]
    yield Finding("models", FINE, f"from the Hub, in {HF_HUB_CACHE}: {', '.join(names) or 'none'}")


def _hub(ask: bool) -> Finding:
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return Finding("hub", NOTE, "HF_HUB_OFFLINE is set: only models that are here are used")
    if not ask:
        return Finding("hub", FINE, "not asked; --hub asks whether it can be reached")
    import httpx

    address = os.environ.get("HF_ENDPOINT") or ENDPOINT
    try:
        httpx.get(f"{address}/api/models?limit=1", timeout=_SECONDS)
    except httpx.HTTPError as error:
        said = f"{address} cannot be reached: {str(error) or type(error).__name__}"
        return Finding("hub", NOTE, said, "`nocturna fetch` brings models where there is a network")
    return Finding("hub", FINE, f"{address} can be reached")


def _key() -> Finding:
    from nocturna.tasks.enrichment.providers import provider_of
    from nocturna.tasks.job.summaries import Summaries

    variable = provider_of(Summaries()).KEY_VARIABLE
    if os.environ.get(variable):
        return Finding("summaries", FINE, f"{variable} is set")
    return Finding("summaries", FINE, f"{variable} is not set: needed for --summaries only")


def _engine() -> Finding:
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        with socket.socket() as own:
            own.bind(("127.0.0.1", 0))
        return Finding("engine", FINE, "each night starts its own, on the loopback")
    import httpx

    from nocturna.tasks.addresses import without_secrets

    shown = without_secrets(address)
    try:
        httpx.get(f"{address}/health", timeout=_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        said = f"{shown} does not answer: {without_secrets(str(error)) or type(error).__name__}"
        return Finding("engine", NOTE, said.splitlines()[0], "nights run, and go unrecorded")
    return Finding("engine", FINE, f"{shown} answers")
