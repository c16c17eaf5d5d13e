"""Zero-shot classification by natural language inference.

Method: Yin, Hay and Roth 2019, "Benchmarking Zero-shot Text Classification"; the scores are those
of transformers' zero-shot-classification pipeline.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import UsageError
from tasks.inference.classifier import Classifier, Running, classifier_labels
from tasks.inference.models import ModelRef
from tasks.inference.probabilities import softmax
from tasks.inference.tokens import Ids
from tasks.inference.windows import Windows, aggregate, cut_windows
from tasks.job import LongDocuments


@dataclass(frozen=True)
class Verdicts:
    """Output positions of an NLI model."""

    entailment: int
    contradiction: int


def nli_verdicts(ref: ModelRef) -> Verdicts:
    """Reads from the model's own label names which output means entailment, which contradiction.

    Raises:
        UsageError: the names do not say; guessing would mis-score in silence.
    """
    labels = classifier_labels(ref)
    found = {}
    for verdict in ("entailment", "contradiction"):
        at = [i for i, label in enumerate(labels) if label.lower().startswith(verdict[:6])]
        if len(at) != 1:
            raise UsageError(
                f"model {ref.name}: its labels {list(labels)} do not name one {verdict} class, so "
                "it cannot do zero-shot by NLI; choose an NLI model, or method: embedding with a "
                "sentence encoder"
            )
        found[verdict] = at[0]
    return Verdicts(**found)


def score_nli(
    model: Classifier,
    encoded: list[Ids],
    hypotheses: list[str],
    multi_label: bool,
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.float32], Windows]:
    """Score of every hypothesis for every document.

    The texts' ids come from one tokenisation; hypotheses are tokenised once and appended as ids.
    Long documents are cut, hypotheses never.

    Args:
        model: a loaded NLI model.
        encoded: token ids of each document, without special tokens.
        hypotheses: one sentence a label.
        multi_label: entailment against contradiction for each label by itself; otherwise (with at
            least two labels) a softmax of the entailment logits over the labels.
        long: what to do with documents beyond the model's window.
        run: how to run.

    Returns:
        Scores of shape (documents, labels), and the windows read.
    """
    verdicts = nli_verdicts(model.ref)
    added = model.tokenizer.pair.added
    endings = model.tokenizer.encode(hypotheses)
    longest = max(len(ids) for ids in endings)
    windows = cut_windows(encoded, model.tokenizer.window - added - longest, long)

    n_labels = len(endings)
    text_lengths = np.array([len(ids) for ids in windows.ids], dtype=np.int64)
    label_lengths = np.array([len(ids) for ids in endings], dtype=np.int64)
    lengths = (text_lengths[:, None] + label_lengths[None, :] + added).ravel()
    logits = model.logits(
        lambda i: (windows.ids[i // n_labels], endings[i % n_labels]), lengths, run
    ).reshape(len(windows.ids), n_labels, -1)

    if multi_label or n_labels == 1:
        scores = softmax(logits[..., [verdicts.contradiction, verdicts.entailment]])[..., 1]
    else:
        scores = softmax(logits[..., verdicts.entailment])
    return aggregate(scores, windows, long.aggregate), windows
