"""Device, threads and memory that are really there."""

import os
from pathlib import Path

import torch

from tasks.errors import UsageError

CPU_BATCH_TOKENS = 2048
GPU_BATCH_TOKENS = 32768


def pick_device(wanted: str) -> torch.device:
    """The device to run on: as asked, or with `auto` the first of CUDA, MPS and CPU that exists.

    Raises:
        UsageError: the job asks for a device that this machine or this torch build does not have.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if not present[wanted]:
        raise UsageError(
            f"compute.device: this machine has no {wanted} device that torch {torch.__version__} "
            "can use; install a matching torch build, or set device to auto or cpu"
        )
    return torch.device(wanted)


def device_name(device: torch.device) -> str:
    """What the manifest says: the GPU's product name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def usable_cores() -> int:
    """Cores this process may use: its affinity, cut by the cgroup's CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, period = quota.read_text().split()
        if limit != "max":
            cores = min(cores or 1, max(1, int(limit) // int(period)))
    return cores or 1


def set_threads(threads: int | None) -> int:
    """Sets torch's thread count, from the job or from the cores that are there; returns it."""
    count = threads or usable_cores()
    torch.set_num_threads(count)
    return count


def default_batch_tokens(device: torch.device) -> int:
    """Token budget of a batch where the job names none.

    On a CPU small batches lose nothing and save memory; a GPU wants tens of thousands of tokens.
    """
    return CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS
