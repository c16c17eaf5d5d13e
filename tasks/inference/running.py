"""How and where models run in this process, and what they are told and tell."""

from collections.abc import Callable
from dataclasses import dataclass

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.backends import pick_backend
from nocturna.tasks.inference.device import (
    default_batch_tokens,
    pick_device,
    scoring_processes,
    shards_at_once,
)
from nocturna.tasks.job.job import Compute


@dataclass
class Tally:
    """Tokens that models computed, special tokens included, over any number of batches.

    Attributes:
        read: tokens of the texts and hypotheses.
        padding: tokens that only filled up a batch.
    """

    read: int = 0
    padding: int = 0


@dataclass(frozen=True)
class Running:
    """How and where models run, and who is told.

    Attributes:
        precision: `fp32`, `bf16` or `int8`.
        backend: name of what runs them.
        device: `cpu`, `cuda` or `mps`.
        batch_tokens: tokens a batch.
        workers: threads of this process that run models at the same time.
        threads: threads of torch beneath each of them.
        tally: counts what is computed.
        on_share: called after each batch with its share of the tokens of a model's work.
        stop: asked before each batch whether to stop.
    """

    device: str
    precision: str
    backend: str
    batch_tokens: int
    workers: int = 1
    threads: int = 1
    tally: Tally | None = None
    on_share: Callable[[float], None] | None = None
    stop: Callable[[], bool] | None = None


def running(compute: Compute, precision: str) -> Running:
    """How models run on this machine: device, backend, threads and batch size from the job.

    Raises:
        UsageError: the job names a device or backend that is not there, or one that cannot
            compute in this precision.
    """
    device = pick_device(compute.device)
    workers = shards_at_once(compute)
    own = max(1, workers // scoring_processes(compute))
    return Running(
        device=device,
        precision=precision,
        backend=pick_backend(compute.backend, device, precision),
        batch_tokens=compute.batch_tokens or default_batch_tokens(device),
        workers=own,
        threads=max(1, usable_cores() // workers),
    )
