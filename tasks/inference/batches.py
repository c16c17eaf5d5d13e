"""Batches that follow tokens, not rows, and the loop that survives running out of memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import STOPPED, OutOfMemory, Stopped, UsageError
from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.inference.running import Running

LENGTH_SPREAD = 0.97
"""Shortest sequence of a padded batch as a share of its longest: padding stays below 3 %."""


BatchLayout = Literal["equal", "padded", "packed"]
"""How sequences share a batch: all of one length, padded to the longest, or end to end."""


class NoneComputed(UsageError):
    """A network can compute none of what it is given."""


@dataclass(frozen=True)
class Sequence:
    """One input of a model: ids with special tokens, and segment ids if it is given any."""

    ids: Ids
    types: Ids | None


class Network(Protocol):
    """A network that is ready to run, safe to call from several threads at once."""

    most_tokens: int | None
    """Largest token budget that memory allows, once it has run out; shared by all calls."""

    landmark: int | None
    """A token of which all sequences of a batch must hold as many; None for most networks."""

    @property
    def layout(self) -> BatchLayout:
        """How sequences share a batch."""
        ...

    def forward(self, batch: list[Sequence]) -> NDArray[np.float32]:
        """The output of a batch, shape (batch, width).

        Raises:
            MemoryError: the batch is too large.
        """
        ...


def cut_batches(
    lengths: NDArray[np.int64], token_budget: int, layout: BatchLayout = "padded"
) -> list[NDArray[np.int64]]:
    """Groups sequences of like length, longest first.

    Args:
        lengths: tokens of each sequence, shape (n,).
        token_budget: most tokens a batch may hold, padding included; a longer sequence goes alone.
        layout: `equal` batches hold a power of two of sequences, so that few shapes have to be
            prepared for; `padded` ones spread in length by LENGTH_SPREAD; `packed` ones freely.

    Returns:
        Positions into `lengths`, one array a batch.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    batches, start = [], 0
    while start < len(order):
        longest = int(lengths[order[start]])
        if layout == "packed":
            fits = int(np.searchsorted(ends, ends[start] - longest + token_budget, side="right"))
            group = order[start : max(fits, start + 1)]
        else:
            group = order[start : start + max(1, token_budget // longest)]
            spread = 1.0 if layout == "equal" else LENGTH_SPREAD
            group = group[lengths[group] >= longest * spread]
        if layout == "equal":
            group = group[: 1 << (len(group).bit_length() - 1)]
        batches.append(group)
        start += len(group)
    return batches


def run_batches(
    network: Network,
    sequence: Callable[[int], Sequence],
    lengths: NDArray[np.int64],
    run: Running,
) -> NDArray[np.float32]:
    """Runs a model over many sequences within a token budget.

    Out of memory halves the budget, for this call and those after it. A sequence that a network
    cannot compute even alone gets no numbers, unless it can compute none of them. Sequences are
    made when their batch comes up, so that a document with twenty labels is never held twenty
    times.

    Args:
        network: the model.
        sequence: makes the i-th sequence.
        lengths: tokens of each sequence, shape (n,).
        run: token budget, who is told, and who may stop it.

    Returns:
        Outputs in the order of `lengths`, shape (n, width), NaN for a sequence that failed.

    Raises:
        Stopped: `run.stop` said so; no batch was left half done.
        OutOfMemory: not even a single sequence fits into memory.
        NoneComputed: the network failed at every one of them.
    """
    budget = min(run.batch_tokens, network.most_tokens or run.batch_tokens)
    rows: NDArray[np.float32] | None = None
    failed: list[tuple[int, Exception]] = []
    pending = cut_batches(lengths, budget, network.layout)[::-1]
    while pending:
        if run.stop is not None and run.stop():
            raise Stopped(STOPPED)
        group = pending.pop()
        try:
            outputs = _forward(network, [sequence(int(i)) for i in group])
        except MemoryError:
            if len(group) == 1:
                raise OutOfMemory(
                    f"out of memory on a single sequence of {lengths[group[0]]} tokens; use a "
                    "smaller model, a device with more memory, or long_documents.policy: truncate"
                ) from None
            budget = max(1, budget // 2)
            network.most_tokens = budget
            left = np.concatenate([group, *pending[::-1]])
            cut = cut_batches(lengths[left], budget, network.layout)
            pending = [left[batch] for batch in cut][::-1]
            continue
        except Exception as error:  # what runs networks raises whatever it met
            if len(group) > 1:
                pending += [group[i : i + 1] for i in range(len(group))]
                continue
            failed.append((int(group[0]), error))
            _tell(run, lengths[group], int(lengths.sum()), network.layout)
            continue
        if rows is None:
            rows = np.empty((len(lengths), outputs.shape[1]), dtype=np.float32)
        rows[group] = outputs
        _tell(run, lengths[group], int(lengths.sum()), network.layout)
    if rows is None:
        if failed:
            reason = (str(failed[0][1]).strip() or type(failed[0][1]).__name__).splitlines()[0]
            raise NoneComputed(f"its network computes not one of the texts ({reason[:200]})")
        return np.empty((0, 0), dtype=np.float32)
    rows[[at for at, _ in failed]] = np.nan
    return rows


def _forward(network: Network, batch: list[Sequence]) -> NDArray[np.float32]:
    if network.landmark is None:
        return network.forward(batch)
    counts = np.array([np.count_nonzero(item.ids == network.landmark) for item in batch])
    kinds = [np.flatnonzero(counts == count) for count in np.unique(counts)]
    outputs = np.concatenate([network.forward([batch[i] for i in kind]) for kind in kinds])
    return outputs[np.argsort(np.concatenate(kinds))]


def _tell(run: Running, done: NDArray[np.int64], total: int, layout: BatchLayout) -> None:
    tokens = int(done.sum())
    if run.tally is not None:
        run.tally.read += tokens
        if layout == "padded":
            run.tally.padding += int(done.max()) * len(done) - tokens
    if run.on_share is not None:
        run.on_share(tokens / total)
