"""Texts read by networks that take each of their windows in a sequence of its own.

Networks that begin with the same layers read the texts they share in one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import Reading, make_ready
from nocturna.tasks.inference.batches import BatchLayout, Network, run_batches
from nocturna.tasks.inference.batches import Sequence as Input
from nocturna.tasks.inference.branches import together
from nocturna.tasks.inference.frames import Frame, Ids
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.tokens import TextTokenizer
from nocturna.tasks.inference.windows import Windows, cut_windows
from nocturna.tasks.job.compute import LongDocuments

if TYPE_CHECKING:
    from nocturna.tasks.inference.texts import Texts


@dataclass(frozen=True)
class Pass:
    """How one network reads texts.

    Attributes:
        capacity: tokens of a prompt and a text that fit beside the special ones.
        width: numbers that it gives for a sequence; None where only the network tells.
    """

    ref: ModelRef
    reading: Reading
    tokenizer: TextTokenizer
    capacity: int
    width: int | None

    @property
    def what(self) -> tuple[ModelRef, Reading]:
        """What is read."""
        return self.ref, self.reading

    @property
    def inputs(self) -> tuple[object, ...]:
        """What decides the sequences that a text becomes; equal for passes that take the same."""
        own = self.tokenizer
        return (
            own.identity,
            own.single,
            own.uses_types,
            own.pad_id,
            own.keeps_end,
            self.capacity,
        )


@dataclass(frozen=True, eq=False)
class TextsRead:
    """Texts as a network reads them.

    Attributes:
        outputs: one row a window, shape (windows, width), float32.
        n_tokens: tokens of each text, without special ones, shape (n,).
    """

    outputs: NDArray[np.float32]
    windows: Windows
    n_tokens: NDArray[np.int64]


def read_texts(own: Pass, texts: "Texts", long: LongDocuments, run: Running) -> TextsRead:
    """The texts by a network; read once, however many scores look at them.

    Other passes that `texts` expects are made at the same time where the networks begin alike.

    Args:
        long: what to do with texts beyond the network's window.

    Raises:
        UsageError: the network cannot be loaded, or gives another number of outputs than its
            configuration says.
        Stopped, OutOfMemory: as `run_batches`.
    """
    group = _group(own, texts.expected)

    def read() -> TextsRead:
        encoded = texts.encoded(own.tokenizer)
        windows = cut_windows(
            encoded, own.capacity, long, own.tokenizer.keeps_end, own.tokenizer.start
        )
        outputs = read_windows(own.tokenizer, _network(group, run), windows.ids, run)
        widths = [one.width or outputs.shape[1] for one in group]
        if len(outputs) and outputs.shape[1] != sum(widths):
            raise UsageError(
                f"model {' and '.join(one.ref.name for one in group)}: by its config.json its "
                f"network has {sum(widths)} outputs, but it has {outputs.shape[1]}"
            )
        tokens = np.array([len(ids) for ids in encoded], dtype=np.int64) - windows.prompt
        return TextsRead(outputs, windows, np.maximum(tokens, 0))

    asked = tuple((one.ref.revision, one.reading.name) for one in group)
    found: TextsRead = texts.once((asked, own.inputs, run.precision, run.backend), read)
    return TextsRead(found.outputs[:, _columns(own, group)], found.windows, found.n_tokens)


def network_of(own: Pass, beside: Sequence[Pass], run: Running) -> Network:
    """The network of a pass, as part of the one that makes the passes beside it too."""
    group = _group(own, beside)
    network = _network(group, run)
    return network if len(group) == 1 else _Columns(network, _columns(own, group))


def read_windows(
    tokenizer: TextTokenizer, network: Network, ids: list[Ids], run: Running
) -> NDArray[np.float32]:
    """What a network gives for texts that fit its window, each with its special tokens around it.

    Args:
        ids: token ids of each text.

    Returns:
        shape (texts, width).
    """
    lengths = np.array([len(own) for own in ids], dtype=np.int64) + tokenizer.single.added
    return run_batches(network, lambda i: frame_sequence(tokenizer, (ids[i],)), lengths, run)


def frame_sequence(tokenizer: TextTokenizer, texts: tuple[Ids, ...]) -> Input:
    """One text or a pair with the tokenizer's special tokens around it.

    Segment ids are given wherever the tokenizer gives them: to some networks all 0 is not none.
    """
    frame = tokenizer.single if len(texts) == 1 else pair_frame(tokenizer)
    return Input(frame.ids(*texts), frame.type_ids(*texts) if tokenizer.uses_types else None)


def pair_frame(tokenizer: TextTokenizer) -> Frame:
    """What the tokenizer puts around two texts; that there is something was checked before."""
    assert tokenizer.pair is not None
    return tokenizer.pair


def _group(own: Pass, expected: Sequence[Pass]) -> list[Pass]:
    """The passes that are made in one with a pass, in the same order for each of them."""
    left = list({one.what: one for one in expected if one.width is not None}.values())
    left.sort(key=lambda one: (one.reading.head, one.ref.revision, one.reading.name))
    while left:
        first = left[0]
        group = [first]
        group += [
            o for o in left[1:] if o.inputs == first.inputs and together((first.what, o.what))
        ]
        if own.what in [one.what for one in group]:
            return group
        left = [one for one in left if one not in group]
    return [own]


def _network(group: list[Pass], run: Running) -> Network:
    first = group[0]
    reading = together(tuple(one.what for one in group)) or first.reading
    return make_ready(first.ref, reading, first.tokenizer.pad_id, first.tokenizer.uses_types, run)


def _columns(own: Pass, group: list[Pass]) -> slice:
    if len(group) == 1:
        return slice(None)
    ends = list(accumulate(one.width or 0 for one in group))
    at = [one.what for one in group].index(own.what)
    return slice(ends[at] - (own.width or 0), ends[at])


class _Columns:
    """Some of the outputs of a network."""

    def __init__(self, whole: Network, columns: slice) -> None:
        self._whole, self._columns = whole, columns
        self.landmark = whole.landmark

    @property
    def layout(self) -> BatchLayout:
        return self._whole.layout

    @property
    def most_tokens(self) -> int | None:
        return self._whole.most_tokens

    @most_tokens.setter
    def most_tokens(self, tokens: int | None) -> None:
        self._whole.most_tokens = tokens

    def forward(self, batch: list[Input]) -> NDArray[np.float32]:
        return self._whole.forward(batch)[:, self._columns]
