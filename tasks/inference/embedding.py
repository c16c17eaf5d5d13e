"""Zero-shot classification by embedding: one pass a document, however many labels."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tasks.inference.encoder import Encoder
from tasks.inference.frames import Ids
from tasks.inference.probabilities import softmax
from tasks.inference.running import Running
from tasks.inference.windows import Windows, aggregate, cut_windows
from tasks.job import LongDocuments


def score_embedding(
    model: Encoder,
    encoded: list[Ids],
    hypotheses: list[str],
    temperature: float | None,
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.float32], Windows]:
    """Softmax over the labels of cosine similarity divided by a temperature.

    Args:
        model: a loaded sentence encoder.
        encoded: token ids of each document, without special tokens.
        hypotheses: one sentence a label.
        temperature: the lower, the more decided the scores; None takes the model's own.
        long: what to do with documents beyond the model's window.
        run: how to run.

    Returns:
        Scores of shape (documents, labels), and the windows read.
    """
    cosines, windows = similarities(model, encoded, hypotheses, long, run)
    scores = softmax(cosines / (temperature or model.recipe.temperature))
    return aggregate(scores, windows, long.aggregate), windows


def similarities(
    model: Encoder, encoded: list[Ids], sentences: list[str], long: LongDocuments, run: Running
) -> tuple[NDArray[np.float32], Windows]:
    """Cosine similarity of every window of the documents with every sentence.

    Args:
        model: a loaded sentence encoder.
        encoded: token ids of each document, without special tokens.
        sentences: what to compare with.
        long: what to do with documents beyond the model's window.
        run: how to run.

    Returns:
        Cosines of shape (windows, sentences), and the windows read.
    """
    windows = cut_windows(encoded, model.capacity, long)
    embedded = model.embed(model.tokenizer.encode(sentences), replace(run, on_share=None))
    return model.embed(windows.ids, run) @ embedded.T, windows
