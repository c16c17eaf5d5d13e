"""The device that runs the models, and who shares the cores."""

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import (
    AUTO,
    DEVICES,
    backends,
    packages,
    pick_backend,
)
from nocturna.tasks.job.job import Compute

CPU_BATCH_TOKENS = 1024
GPU_BATCH_TOKENS = 131_072


def pick_device(wanted: str) -> str:
    """The device to run on: as asked, or with `auto` the first of CUDA, MPS and CPU that exists.

    Raises:
        UsageError: the job asks for a device that no backend can use on this machine.
    """
    if wanted == "cpu":
        return wanted
    there = {device for backend in backends().values() for device in backend.devices()}
    if wanted == AUTO:
        return next(device for device in DEVICES if device in there)
    if wanted not in there:
        raise UsageError(
            f"compute.device: {', '.join(packages())} can use no {wanted} device of this machine; "
            "install builds that can, or set device to auto or cpu"
        )
    return wanted


def usable_precisions(compute: Compute) -> tuple[str, ...]:
    """The precisions that the job's device and backend compute in at a gain, fp32 first."""
    device = pick_device(compute.device)
    backend = pick_backend(compute.backend, device, "fp32")
    return ("fp32", *backends()[backend].faster_in(device))


def device_name(device: str) -> str:
    """What the manifest says: the GPU's product name, or the kind of device."""
    if device != "cuda":
        return device
    import torch

    return torch.cuda.get_device_name(device)


def shards_at_once(compute: Compute) -> int:
    """How many shards are scored at the same time.

    Documents are independent: one worker with one thread a core beats one pool over all cores. On
    a GPU the other workers read, tokenise and write while one computes.
    """
    if compute.workers:
        return compute.workers
    processes = scoring_processes(compute)
    if pick_device(compute.device) == "cpu":
        return max(usable_cores(), processes)
    return max(2, processes)


def scoring_processes(compute: Compute) -> int:
    """How many processes the shards are shared out to.

    On a CPU the models are what takes time. A GPU can be faster than one process can read, tokenise
    and write; each process then has the models to itself.
    """
    if compute.processes:
        return compute.processes
    return 1 if pick_device(compute.device) == "cpu" else max(1, usable_cores() // 4)


def default_batch_tokens(device: str) -> int:
    """Token budget of a batch where the job names none.

    On a CPU small batches lose nothing and save memory; a GPU wants as many tokens as its memory
    holds, which is found by halving when it runs out.
    """
    return CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
