"""Zero-shot classification by natural language inference.

Method: Yin, Hay and Roth 2019, "Benchmarking Zero-shot Text Classification"; the scores are those
of transformers' zero-shot-classification pipeline.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.inference.classifier import Classifier, pair_frame
from tasks.inference.frames import Ids
from tasks.inference.model_config import nli_verdicts
from tasks.inference.probabilities import softmax
from tasks.inference.running import Running
from tasks.inference.windows import Windows, aggregate, cut_windows
from tasks.job import LongDocuments


def score_nli(
    model: Classifier,
    encoded: list[Ids],
    hypotheses: list[str],
    multi_label: bool,
    long: LongDocuments,
    run: Running,
    asked: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], Windows]:
    """Score of every hypothesis for every document, or of those that a document is asked about.

    The texts' ids come from one tokenisation; hypotheses are tokenised once and appended as ids.
    Long documents are cut, hypotheses never; the windows leave room for the longest of all
    hypotheses, whichever a document is asked about.

    Args:
        model: a loaded NLI model.
        encoded: token ids of each document, without special tokens.
        hypotheses: one sentence a label.
        multi_label: entailment against contradiction (of two classes, against the other one) for
            each label by itself; otherwise (with at least two labels) a softmax of the entailment
            logits over the labels asked about.
        long: what to do with documents beyond the model's window.
        run: how to run.
        asked: positions of the hypotheses that each document is asked about, shape (documents, k);
            None for all of them.

    Returns:
        Scores of shape (documents, labels), NaN where a document was not asked, and the windows
        read.
    """
    verdicts = nli_verdicts(model.ref)
    added = pair_frame(model.tokenizer).added
    endings = model.tokenizer.encode(hypotheses)
    longest = max(len(ids) for ids in endings)
    windows = cut_windows(encoded, model.tokenizer.window - added - longest, long)

    if asked is None:
        pairs = np.broadcast_to(np.arange(len(endings)), (len(windows.ids), len(endings)))
    else:
        pairs = asked[windows.document]
    k = pairs.shape[1]
    text_lengths = np.array([len(ids) for ids in windows.ids], dtype=np.int64)
    label_lengths = np.array([len(ids) for ids in endings], dtype=np.int64)
    lengths = (text_lengths[:, None] + label_lengths[pairs] + added).ravel()
    logits = model.logits(
        lambda i: (windows.ids[i // k], endings[pairs[i // k, i % k]]), lengths, run
    ).reshape(len(windows.ids), k, -1)

    if multi_label or k == 1:
        scores = softmax(logits[..., [verdicts.against, verdicts.entailment]])[..., 1]
    else:
        scores = softmax(logits[..., verdicts.entailment])
    joined = aggregate(scores, windows, long.aggregate)
    return (joined if asked is None else _spread(joined, asked, len(endings))), windows


def _spread(
    scores: NDArray[np.float32], asked: NDArray[np.int64], n_labels: int
) -> NDArray[np.float32]:
    """Scores of the labels asked about in the columns of all labels."""
    wide = np.full((len(scores), n_labels), np.nan, dtype=np.float32)
    np.put_along_axis(wide, asked, scores, axis=1)
    return wide
