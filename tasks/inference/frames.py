"""The special tokens that a tokenizer puts around one text or a pair, found by watching it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Frame:
    """Special tokens around one text or a pair, and the segment ids of both.

    Attributes:
        pieces: constant ids before, between and after the texts; one more than there are texts.
        piece_types: segment ids of each piece, one a token.
        text_types: segment id of each text.
    """

    pieces: tuple[tuple[int, ...], ...]
    piece_types: tuple[tuple[int, ...], ...]
    text_types: tuple[int, ...]

    @property
    def added(self) -> int:
        """Tokens that the frame adds to the texts."""
        return sum(len(piece) for piece in self.pieces)

    @property
    def largest_type(self) -> int:
        """The largest segment id in it."""
        return max([*self.text_types, *(kind for types in self.piece_types for kind in types)])

    def ids(self, *texts: Ids) -> Ids:
        """One sequence: the texts with their special tokens."""
        parts = [_array(self.pieces[0])]
        for text, piece in zip(texts, self.pieces[1:], strict=True):
            parts += [text, _array(piece)]
        return np.concatenate(parts)

    def type_ids(self, *texts: Ids) -> Ids:
        """Segment ids of the sequence that `ids` makes from the same texts."""
        parts = [_array(self.piece_types[0])]
        rest = zip(texts, self.text_types, self.piece_types[1:], strict=True)
        for text, kind, types in rest:
            parts += [np.full(len(text), kind, dtype=np.int32), _array(types)]
        return np.concatenate(parts)


def find_frame(tokenizer: Any, *texts: str) -> Frame | None:
    """The frame that a transformers tokenizer puts around so many texts; None if it has none.

    It is None where the texts' own ids cannot be found among those of the whole.
    """
    whole = tokenizer(*texts)
    ids = list(whole["input_ids"])
    types = list(whole.get("token_type_ids") or [0] * len(ids))
    cuts, text_types = [0], []
    for text in texts:
        own = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        places = range(cuts[-1], len(ids) - len(own) + 1)
        at = next((i for i in places if own and ids[i : i + len(own)] == own), None)
        if at is None:
            return None
        text_types.append(types[at])
        cuts += [at, at + len(own)]
    bounds = list(zip(cuts[::2], [*cuts[1::2], len(ids)], strict=True))
    return Frame(
        tuple(tuple(ids[a:b]) for a, b in bounds),
        tuple(tuple(types[a:b]) for a, b in bounds),
        tuple(text_types),
    )


def _array(values: tuple[int, ...]) -> Ids:
    return np.array(values, dtype=np.int32)
