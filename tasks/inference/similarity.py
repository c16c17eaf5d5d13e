"""How like a text is to sentences, by a sentence encoder."""

from collections.abc import Sequence
from dataclasses import replace

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
    """Sentences in the encoder's space, of unit length, shape (sentences, width).

    They are read once: labels are the same for every shard of a run.
    """
    quiet = replace(run, on_share=None, tally=None, stop=None)
    asked = (model.own.ref.revision, model.tokenizer.prompt, run.precision, run.backend, *sentences)
    found = _kept.get(asked)
    if found is None:
        found = _kept[asked] = model.embed(model.tokenizer.encode(list(sentences)), quiet)
        for old in list(_kept)[:-_MOST]:
            _kept.pop(old, None)
    return found


_MOST = 64
_kept: dict[tuple[str, ...], NDArray[np.float32]] = {}
"""Sentences that were read, by what decides their vectors; the last ones."""
