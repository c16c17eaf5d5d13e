"""Facts about the machine and the packages that a run used."""

import ctypes
import os
import platform
import resource
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa

from nocturna.tasks.inference.backends import packages

PACKAGES = (
    "nocturna",
    "transformers",
    "tokenizers",
    "datasets",
    "huggingface-hub",
    "safetensors",
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "prefect",
    "py3langid",
    "google-genai",
)


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that decide results; none is imported."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in (*PACKAGES, *packages()):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def machine_facts(device: str) -> dict[str, Any]:
    """Device, processor, cores that this process may use, memory in bytes and system.

    Args:
        device: what ran the models, e.g. `cpu` or the name of the GPU.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "device": device,
        "processor": _processor(),
        "cores": cores,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def peak_rss_bytes() -> int:
    """Most memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def give_memory_back() -> None:
    """Returns to the system what freed objects still hold.

    glibc keeps freed blocks between live ones; over hundreds of shards that grows. Without glibc
    only Arrow's share is returned.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
