"""Texts to token ids, once, as the model's own tokenizer makes them."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from tokenizers import Tokenizer

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.facts import NetworkFacts, network_facts, tokenizer_facts
from nocturna.tasks.inference.frames import Frame, Ids
from nocturna.tasks.inference.models import ModelRef

PIECE_CHARS = 200_000
"""Longer texts are tokenised in pieces cut at white space, so that memory stays flat."""


@dataclass(frozen=True)
class TextTokenizer:
    """A model's tokenizer, reduced to what scoring needs.

    Attributes:
        plain: token ids of texts, without special tokens; safe to call from several threads.
        pad_id: fills up a batch, where the network takes padding.
        window: tokens the model can read at once, special tokens included.
        single, pair: special tokens around one text and around two; no pair for some tokenizers.
        uses_types: whether the model is given segment ids.
        identity: hash of the tokenizer; two models with the same one share token ids.
        vocabulary: ids from here on have no embedding; None where the network has no such table.
        unknown_id: what stands for text that the tokenizer does not know; None if it has none.
        keeps_end: whether the beginning goes where a text is truncated.
        prompt: what is read before every text; its ids are part of `single`.
    """

    plain: Callable[[list[str]], list[Ids]]
    pad_id: int
    window: int
    single: Frame
    pair: Frame | None
    uses_types: bool
    identity: str
    vocabulary: int | None
    unknown_id: int | None
    keeps_end: bool
    prompt: str = ""

    def encode(self, texts: list[str]) -> list[Ids]:
        """Token ids of each text, without special tokens or prompt and without any cut."""
        if not self.prompt:
            return self._bare(texts)
        start = self._bare([self.prompt.rstrip()])[0]
        together = self._bare([self.prompt + text for text in texts])
        return [
            ids[len(start) :] if np.array_equal(ids[: len(start)], start) else self._bare([text])[0]
            for ids, text in zip(together, texts, strict=True)
        ]

    def prompted(self, prompt: str) -> "TextTokenizer":
        """The tokenizer with a prompt before every text."""
        if not prompt:
            return self
        start = self._bare([prompt.rstrip()])[0]
        identity = f"{self.identity} {prompt}"
        return replace(self, prompt=prompt, single=self.single.after(start), identity=identity)

    def room(self, ref: ModelRef) -> int:
        """Tokens of a text that fit the window beside the special ones and the prompt.

        Raises:
            UsageError: none does.
        """
        room = self.window - self.single.added
        if room <= 0:
            raise UsageError(
                f"model {ref.name}: a window of {self.window} tokens leaves no room for a text "
                f"beside {self.single.added} that stand around each; set model_max_length in its "
                "tokenizer_config.json, or a shorter prompt"
            )
        return room

    def without_embedding(self, ids: Ids) -> int | None:
        """The first id that the network has no embedding for, or None."""
        return first_beyond(ids, self.vocabulary)

    def unknown(self, ids: Ids) -> int:
        """How many of the ids stand for text that the tokenizer does not know."""
        return 0 if self.unknown_id is None else int(np.count_nonzero(ids == self.unknown_id))

    def _bare(self, texts: list[str]) -> list[Ids]:
        encoded: list[Ids] = []
        for batch in _bounded(texts):
            if len(batch) == 1 and len(batch[0]) > PIECE_CHARS:
                pieces = (self.plain(group) for group in _bounded(split_text(batch[0])))
                encoded.append(np.concatenate([ids for group in pieces for ids in group]))
            else:
                encoded += self.plain(batch)
        return encoded


NO_TOKEN = int(np.iinfo(np.int32).max)
"""Stands for a text that a tokenizer cannot read; no network has an embedding for it."""


def first_beyond(ids: Ids, vocabulary: int | None) -> int | None:
    """The first id that a table of so many embeddings does not hold, or None."""
    if vocabulary is None or not len(ids) or ids.max() < vocabulary:
        return None
    return int(ids[np.argmax(ids >= vocabulary)])


@lru_cache(maxsize=16)
def load_tokenizer(
    ref: ModelRef, head: bool = True, lower: bool = False, prompt: str = ""
) -> TextTokenizer:
    """Loads the tokenizer of a model; kept for the life of the process, for its next shards.

    Args:
        ref: the model.
        head: whether its network is a classifier or a bare encoder.
        lower: whether texts are put in lower case first, whatever the tokenizer itself does.
        prompt: what is read before every text.

    Raises:
        UsageError: it cannot be loaded, or does not belong to the network.
    """
    facts = tokenizer_facts(ref, head, lower, prompt)
    if facts.tokenizer is None:
        from nocturna.tasks.inference.tokenizer_files import slow_tokenizer

        plain, identity = slow_tokenizer(ref), f"{ref.revision} {ref.folder}"
    else:
        plain = _fast(facts.tokenizer)
        identity = hashlib.sha256(facts.tokenizer.encode()).hexdigest()
    return TextTokenizer(
        plain=plain,
        pad_id=facts.pad_id,
        window=facts.window,
        single=facts.single,
        pair=facts.pair,
        uses_types=facts.uses_types,
        identity=identity,
        vocabulary=network_facts(ref, head).vocabulary,
        unknown_id=facts.unknown_id,
        keeps_end=facts.keeps_end,
    ).prompted(prompt)


def check_frame(ref: ModelRef, uses_types: bool, frame: Frame, network: NetworkFacts) -> None:
    """Refuses special tokens and segments that the network has no embedding for.

    Raises:
        UsageError: tokenizer and network do not belong together.
    """
    special = np.array([token for piece in frame.pieces for token in piece], dtype=np.int32)
    beyond = first_beyond(special, network.vocabulary)
    if beyond is not None:
        raise UsageError(
            f"model {ref.name}: its tokenizer puts token {beyond} around every text, and its "
            f"network has embeddings for {network.vocabulary} tokens; the two do not belong "
            "together, or special tokens are missing from the tokenizer's vocabulary"
        )
    segments = network.segments or 0
    if uses_types and 0 < segments <= frame.largest_type:
        raise UsageError(
            f"model {ref.name}: its tokenizer gives segment id {frame.largest_type}, and its "
            f"network has embeddings for {segments} segments; the two do not belong together"
        )


@lru_cache(maxsize=16)
def _fast(tokenizer: str) -> Callable[[list[str]], list[Ids]]:
    """By a tokenizer's JSON, so that models with the same one hold it once."""
    backend = Tokenizer.from_str(tokenizer)

    def encode(texts: list[str]) -> list[Ids]:
        found = backend.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in found]

    return one_by_one(encode)


def one_by_one(encode: Callable[[list[str]], list[Ids]]) -> Callable[[list[str]], list[Ids]]:
    """What makes token ids of texts, and `NO_TOKEN` of one that its tokenizer fails at.

    A tokenizer without an unknown token raises at a sign that it does not know.
    """

    def each(texts: list[str]) -> list[Ids]:
        try:
            return encode(texts)
        except Exception:  # of no other class
            if len(texts) == 1:
                return [np.array([NO_TOKEN], dtype=np.int32)]
            return [ids for text in texts for ids in each([text])]

    return each


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
