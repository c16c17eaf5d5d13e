"""Sentiment: a sequence-classification model with all of its label scores."""

import numpy as np
from numpy.typing import NDArray

from tasks.inference.classifier import Classifier
from tasks.inference.frames import Ids
from tasks.inference.probabilities import sigmoid, softmax
from tasks.inference.running import Running
from tasks.inference.windows import Windows, aggregate, cut_windows
from tasks.job import LongDocuments


def score_sentiment(
    model: Classifier, encoded: list[Ids], long: LongDocuments, run: Running
) -> tuple[NDArray[np.float32], Windows]:
    """Scores of every label of the model, as transformers' text-classification pipeline has them.

    Args:
        model: a loaded classifier.
        encoded: token ids of each document, without special tokens.
        long: what to do with documents beyond the model's window.
        run: how to run.

    Returns:
        Scores of shape (documents, labels) in the model's label order, and the windows read.
    """
    frame = model.tokenizer.single
    windows = cut_windows(encoded, model.tokenizer.window - frame.added, long)
    lengths = np.array([len(ids) for ids in windows.ids], dtype=np.int64) + frame.added
    logits = model.logits(lambda i: (windows.ids[i],), lengths, run)
    scores = sigmoid(logits) if model.independent else softmax(logits)
    return aggregate(scores, windows, long.aggregate), windows
