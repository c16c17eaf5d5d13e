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
"""Longer texts are tokenised in pieces cut at white space, so that memory stays flat.

Where a tokenizer puts something before each text that is not before each word, it reads them whole.
"""

_GAP, _LOOK, _TRIES = re.compile(r"(?<=\S)\s(?=\S)"), 1_000, 8
"""Where a text may be cut, signs around such a place that are compared, and places that are tried.
"""


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
        prompt: what is read before every text.
        start: ids of the prompt by itself.
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
    start: tuple[int, ...] = ()

    def encode(self, texts: list[str]) -> list[Ids]:
        """Token ids of each text after the prompt, without special tokens and without any cut.

        Both are one text to the tokenizer: the last word of a prompt may go on in the text.
        """
        encoded: list[Ids] = []
        for batch in _bounded([self.prompt + text for text in texts]):
            if len(batch) == 1 and len(batch[0]) > PIECE_CHARS:
                pieces = (self.plain([piece]) for piece in self._pieces(batch[0]))
                encoded.append(np.concatenate([ids for group in pieces for ids in group]))
            else:
                encoded += self.plain(batch)
        return encoded

    def prompted(self, prompt: str) -> "TextTokenizer":
        """The tokenizer with a prompt before every text."""
        if not prompt:
            return self
        start = self.plain([prompt.rstrip(" ")])[0]  # a blank becomes part of the word after it
        identity = f"{self.identity} {prompt}"
        return replace(self, prompt=prompt, start=tuple(start.tolist()), identity=identity)

    def room(self, ref: ModelRef) -> int:
        """Tokens of a prompt and a text that fit the window beside the special ones.

        Raises:
            UsageError: none does.
        """
        room, beside = self.window - self.single.added, self.single.added + len(self.start)
        if self.window <= beside:
            raise UsageError(
                f"model {ref.name}: a window of {self.window} tokens leaves no room for a text "
                f"beside {beside} that stand around each; set model_max_length in its "
                "tokenizer_config.json, or a shorter prompt"
            )
        return room

    def without_embedding(self, ids: Ids) -> int | None:
        """The first id that the network has no embedding for, or None."""
        return first_beyond(ids, self.vocabulary)

    def hardly_knows(self, ids: Ids) -> bool:
        """Whether most of a text's ids stand for what the tokenizer does not know."""
        own = ids[len(self.start) :]
        unknown = 0 if self.unknown_id is None else np.count_nonzero(own == self.unknown_id)
        return bool(2 * unknown > len(own))

    def _pieces(self, text: str) -> Iterator[str]:
        """A text in pieces whose ids, one after the other, are those of the whole."""
        start = 0
        for end in range(PIECE_CHARS, len(text), PIECE_CHARS):
            gaps = [end - _LOOK + gap.start() for gap in _GAP.finditer(text[end - _LOOK : end])]
            tried = ((gap, gap + skipped) for gap in gaps[: -_TRIES - 1 : -1] for skipped in (0, 1))
            cut = next((one for one in tried if self._parts(text, *one)), None)
            if cut is not None:
                yield text[start : cut[0]]
                start = cut[1]
        yield text[start:]

    def _parts(self, text: str, end: int, start: int) -> bool:
        """Whether what stands around a place becomes the same tokens when it is cut there.

        The blank between two pieces may be left out, where the second is read as if it were there.
        """
        before, after = text[end - _LOOK : end], text[start : start + _LOOK]
        whole, *halves = self.plain([text[end - _LOOK : start + _LOOK], before, after])
        return np.array_equal(whole, np.concatenate(halves))


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
