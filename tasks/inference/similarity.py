"""How like a text is to sentences, by a sentence encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.encoder import Encoder
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.texts import Texts
from nocturna.tasks.inference.windows import Windows, cut_windows
from nocturna.tasks.job.compute import LongDocuments


@dataclass(frozen=True, eq=False)
class Embedded:
    """Texts as an encoder reads them.

    Attributes:
        vectors: of unit length, one a window, shape (windows, width).
        n_tokens: tokens of each text, shape (n,).
    """

    vectors: NDArray[np.float32]
    windows: Windows
    n_tokens: NDArray[np.int64]


def embedded(model: Encoder, texts: Texts, long: LongDocuments, run: Running) -> Embedded:
    """The texts in the encoder's space; read once, however many scores look at them."""

    def read() -> Embedded:
        encoded = texts.encoded(model.tokenizer)
        windows = cut_windows(encoded, model.capacity, long)
        tokens = np.array([len(ids) for ids in encoded], dtype=np.int64)
        return Embedded(model.embed(windows.ids, run), windows, tokens)

    key = ("embedded", model.ref.revision, model.tokenizer.prompt, run.precision, run.backend)
    found: Embedded = texts.once(key, read)
    return found


def similarities(
    model: Encoder,
    texts: Texts,
    sentences: list[str],
    long: LongDocuments,
    run: Running,
    of_sentences: Encoder | None = None,
) -> tuple[NDArray[np.float32], Embedded]:
    """Cosine similarity of every window of the texts with every sentence.

    Args:
        model: a loaded sentence encoder.
        sentences: what to compare with.
        long: what to do with texts beyond the encoder's window.
        run: how to run.
        of_sentences: the encoder as it reads sentences, where it reads them otherwise than texts.

    Returns:
        Cosines of shape (windows, sentences), and the texts as they were read.
    """
    found = embedded(model, texts, long, run)
    return found.vectors @ sentence_vectors(of_sentences or model, sentences, run).T, found


def sentence_vectors(model: Encoder, sentences: Sequence[str], run: Running) -> NDArray[np.float32]:
    """Sentences in the encoder's space, of unit length, shape (sentences, width); read once."""
    quiet = replace(run, on_share=None, tally=None, stop=None)
    prompt = model.tokenizer.prompt
    ask = _Sentences(
        *(model.ref.revision, prompt, run.precision, run.backend, tuple(sentences), model, quiet)
    )
    return _embedded_sentences(ask)


@dataclass(frozen=True)
class _Sentences:
    revision: str
    prompt: str
    precision: str
    backend: str
    sentences: tuple[str, ...]
    model: Encoder = field(compare=False)
    run: Running = field(compare=False)


@lru_cache(maxsize=64)
def _embedded_sentences(asked: _Sentences) -> NDArray[np.float32]:
    """Sentences in the encoder's space; labels are the same for every shard of a run."""
    ids = asked.model.tokenizer.encode(list(asked.sentences))
    return asked.model.embed(ids, asked.run)
