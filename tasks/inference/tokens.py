"""Texts to token ids, once, and the special tokens that models put around them."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tasks.cached import cached_at, keep_cached, read_cached
from tasks.inference.models import ModelRef

Ids = NDArray[np.int32]

PIECE_CHARS = 200_000
"""Longer texts are tokenised in pieces cut at white space, so that memory stays flat."""

KEPT_FACTS = 1
"""Version of what is kept of a tokenizer; part of its address."""


@dataclass(frozen=True)
class Frame:
    """Special tokens around one text or a pair, and the segment ids of each piece.

    Attributes:
        pieces: constant ids before, between and after the texts; one more than there are texts.
        types: segment id of each constant piece and each text, in order of appearance.
    """

    pieces: tuple[Ids, ...]
    types: tuple[int, ...]

    @property
    def added(self) -> int:
        """Tokens that the frame adds to the texts."""
        return sum(len(piece) for piece in self.pieces)

    def ids(self, *texts: Ids) -> Ids:
        """One sequence: the texts with their special tokens."""
        parts = [self.pieces[0]]
        for text, piece in zip(texts, self.pieces[1:], strict=True):
            parts += [text, piece]
        return np.concatenate(parts)

    def type_ids(self, *texts: Ids) -> Ids:
        """Segment ids of the sequence that `ids` makes from the same texts."""
        lengths = [len(self.pieces[0])]
        for text, piece in zip(texts, self.pieces[1:], strict=True):
            lengths += [len(text), len(piece)]
        return np.repeat(np.array(self.types, dtype=np.int32), lengths)


@dataclass(frozen=True)
class TextTokenizer:
    """A model's tokenizer, reduced to what scoring needs.

    Attributes:
        window: tokens the model can read at once, special tokens included.
        identity: hash of the tokenizer; two models with the same one share token ids.
        uses_types: whether the model takes segment ids.
    """

    backend: Tokenizer
    pad_id: int
    window: int
    single: Frame
    pair: Frame
    uses_types: bool
    identity: str

    def encode(self, texts: list[str]) -> list[Ids]:
        """Token ids of each text, without special tokens and without any cut."""
        encoded: list[Ids] = []
        for batch in _bounded(texts):
            if len(batch) == 1 and len(batch[0]) > PIECE_CHARS:
                pieces = (self._encode(group) for group in _bounded(split_text(batch[0])))
                encoded.append(np.concatenate([ids for group in pieces for ids in group]))
            else:
                encoded += self._encode(batch)
        return encoded

    def _encode(self, texts: list[str]) -> list[Ids]:
        found = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in found]


@lru_cache(maxsize=16)
def load_tokenizer(ref: ModelRef) -> TextTokenizer:
    """Loads the tokenizer of a model; kept for the life of the process, for its next shards.

    What transformers makes of the model's files is kept on disk, so that a later process need not
    import it.

    Raises:
        UsageError: the model has no fast tokenizer, or no window can be found.
    """
    facts = _facts(ref)
    backend = Tokenizer.from_str(facts["tokenizer"])
    return TextTokenizer(
        backend=backend,
        pad_id=facts["pad_id"],
        window=facts["window"],
        single=_frame(backend, "a"),
        pair=_frame(backend, "a", "b"),
        uses_types=facts["uses_types"],
        identity=hashlib.sha256(facts["tokenizer"].encode()).hexdigest(),
    )


def was_used(ref: ModelRef) -> bool:
    """Whether a model was loaded on this machine before."""
    return _kept_at(ref).exists()


def _kept_at(ref: ModelRef) -> Path:
    versions = [version("transformers"), version("tokenizers")]
    return cached_at("tokenizers", [ref.revision, KEPT_FACTS, versions])


def _facts(ref: ModelRef) -> dict[str, Any]:
    """The fields of `TokenizerFacts`."""
    kept = _kept_at(ref)
    data = read_cached(kept)
    if data is not None:
        found: dict[str, Any] = json.loads(data)
        return found
    from tasks.inference.tokenizer_files import read_tokenizer

    facts = asdict(read_tokenizer(ref))
    keep_cached(kept, json.dumps(facts).encode())
    return facts


def split_text(text: str, chars: int = PIECE_CHARS) -> list[str]:
    """Cuts a text before white space into pieces of at most `chars` (longer if it has none)."""
    pieces, start = [], 0
    while len(text) - start > chars:
        cut = text.rfind(" ", start + 1, start + chars)
        if cut < 0:
            gap = re.compile(r"\s").search(text, start + 1)
            if gap is None:
                break
            cut = gap.start()
        pieces.append(text[start:cut])
        start = cut
    return [*pieces, text[start:]]


def _bounded(texts: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    chars = 0
    for text in texts:
        if batch and chars + len(text) > PIECE_CHARS:
            yield batch
            batch, chars = [], 0
        batch.append(text)
        chars += len(text)
    if batch:
        yield batch


def _frame(backend: Tokenizer, first: str, second: str | None = None) -> Frame:
    encoding = backend.encode(first, second)
    owners, ids, types = encoding.sequence_ids, encoding.ids, encoding.type_ids
    pieces: list[list[int]] = [[]]
    piece_types: list[int] = [types[0]]
    last: int | None = None
    for owner, token, kind in zip(owners, ids, types, strict=True):
        if owner is None:
            if not pieces[-1]:
                piece_types[-1] = kind
            pieces[-1].append(token)
        elif owner != last:
            pieces.append([])
            piece_types += [kind, kind]
            last = owner
    return Frame(tuple(np.array(piece, dtype=np.int32) for piece in pieces), tuple(piece_types))
