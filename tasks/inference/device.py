"""The device that runs the models, and who shares the cores; torch is asked only about GPUs."""

import ctypes
import importlib.util
import runpy
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Compute

CPU_BATCH_TOKENS = 2048
GPU_BATCH_TOKENS = 131_072


def pick_device(wanted: str) -> str:
    """The device to run on: as asked, or with `auto` the first of CUDA, MPS and CPU that exists.

    Raises:
        UsageError: the job asks for a device that this machine or this torch build does not have.
    """
    if wanted == "cpu":
        return wanted
    present = _gpus()
    if wanted == "auto":
        return present[0] if present else "cpu"
    if wanted not in present:
        raise UsageError(
            f"compute.device: this machine has no {wanted} device that torch {version('torch')} "
            "can use; install a matching torch build, or set device to auto or cpu"
        )
    return wanted


def pick_backend(wanted: str, device: str, precision: str) -> str:
    """What runs the models: `openvino` on a CPU if it is installed, torch everywhere else.

    Raises:
        UsageError: the job asks for a backend that this machine does not have, or for one that
            cannot compute on this device or in this precision.
    """
    there = importlib.util.find_spec("openvino") is not None and device == "cpu"
    if wanted == "openvino" and not there:
        raise UsageError(
            "compute.backend: openvino needs the package openvino and device cpu; set backend to "
            "auto or torch"
        )
    if precision == "int8" and (wanted == "torch" or not there):
        raise UsageError(
            "compute.precision: int8 needs backend openvino on device cpu; set it to fp32 or bf16"
        )
    return "torch" if wanted == "torch" or not there else "openvino"


def usable_precisions(compute: Compute) -> tuple[str, ...]:
    """The precisions that the job's device and backend compute in at a gain, fp32 first."""
    device = pick_device(compute.device)
    if device != "cpu":
        return ("fp32", "bf16")
    if pick_backend(compute.backend, device, "fp32") == "torch":
        return ("fp32",)
    from nocturna.tasks.inference.openvino_backend import computes_in

    return computes_in()


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


@cache
def _gpus() -> tuple[str, ...]:
    """The kinds of GPU that torch can use here, by preference."""
    if not _may_have_gpu():
        return ()
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return tuple(name for name, there in present.items() if there)


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
