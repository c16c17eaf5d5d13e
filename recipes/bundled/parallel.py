"""One training run in several single-threaded processes that share their gradients.

On a CPU two processes of one thread each train faster than one of two threads: they meet once a
step and not at every operation.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import multiprocessing, nn

Model = TypeVar("Model", bound=nn.Module)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Peer:
    """One of ``count`` processes that train the same model."""

    rank: int
    count: int

    def share(self, items: list[Item]) -> list[Item]:
        """This process' part of ``items``; every process gets the same number of them."""
        return items[self.rank : len(items) // self.count * self.count : self.count]

    def average_gradients(self, model: nn.Module) -> None:
        """Replace the gradients of ``model`` by their mean over all processes."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = (flat / self.count).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def train_together(
    model: Model, train: Callable[[Model, Peer], None], processes: int, seed: int
) -> None:
    """Call ``train`` on copies of ``model`` in ``processes`` processes; ``model`` gets the result.

    Raises:
        RuntimeError: a process failed.
    """
    model.share_memory()
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            multiprocessing.get_context("fork").Process(
                target=_work,
                args=(model, train, Peer(rank, processes), Path(folder) / "meet", seed),
            )
            for rank in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a training process failed; its traceback is above")


def _work(
    model: Model, train: Callable[[Model, Peer], None], peer: Peer, meeting: Path, seed: int
) -> None:
    """Train in this process, and end it without the clean-up of its parent's other threads.

    Those (an engine's, say) do not exist after a fork, and waiting for them fails.
    """
    try:
        _train(model, train, peer, meeting, seed)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _train(
    model: Model, train: Callable[[Model, Peer], None], peer: Peer, meeting: Path, seed: int
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed + peer.rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=peer.rank, world_size=peer.count
    )
    own = deepcopy(model)
    train(own, peer)
    if peer.rank == 0:
        model.load_state_dict(own.state_dict())
    dist.barrier()
    dist.destroy_process_group()
