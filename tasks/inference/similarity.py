"""How like a text is to sentences, by a sentence encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.encoder import Encoder
from nocturna.tasks.inference.passes import TextsRead, read_texts
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.texts import Texts
from nocturna.tasks.job.compute import LongDocuments


def similarities(
    model: Encoder,
    texts: Texts,
    sentences: list[str],
    long: LongDocuments,
    run: Running,
    of_sentences: Encoder | None = None,
) -> tuple[NDArray[np.float32], TextsRead]:
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
    found = read_texts(model.own, texts, long, run)
    return found.outputs @ sentence_vectors(of_sentences or model, sentences, run).T, found


def sentence_vectors(model: Encoder, sentences: Sequence[str], run: Running) -> NDArray[np.float32]:
    """Sentences in the encoder's space, of unit length, shape (sentences, width); read once."""
    quiet = replace(run, on_share=None, tally=None, stop=None)
    prompt = model.tokenizer.prompt
    ask = _Sentences(
        *(
            model.own.ref.revision,
            prompt,
            run.precision,
            run.backend,
            tuple(sentences),
            model,
            quiet,
        )
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
