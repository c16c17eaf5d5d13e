"""A sequence-classification model: logits of many token sequences."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import UsageError
from tasks.inference.backends import Reading, load_backend
from tasks.inference.batches import Backend, Sequence, run_batches
from tasks.inference.models import ModelRef
from tasks.inference.networks import load_config
from tasks.inference.reading import classifier_reading, packed_classifier
from tasks.inference.running import Running
from tasks.inference.tokens import Frame, Ids, TextTokenizer, load_tokenizer

LOGITS = Reading("logits", head=True, wrap=classifier_reading, pack=packed_classifier)


@dataclass(frozen=True)
class Classifier:
    """A loaded classifier; `labels` are its own names, by output position."""

    ref: ModelRef
    backend: Backend
    tokenizer: TextTokenizer
    labels: tuple[str, ...]
    independent: bool

    def logits(
        self, texts: Callable[[int], tuple[Ids, ...]], lengths: NDArray[np.int64], run: Running
    ) -> NDArray[np.float32]:
        """Logits of sequences that hold one text or a pair each.

        Args:
            texts: token ids of the i-th sequence's one or two texts.
            lengths: tokens of each sequence with special tokens, shape (n,).
            run: how to run.

        Returns:
            Shape (n, labels), float32.
        """
        return run_batches(
            self.backend, lambda i: frame_sequence(self.tokenizer, texts(i)), lengths, run
        )


def frame_sequence(tokenizer: TextTokenizer, texts: tuple[Ids, ...]) -> Sequence:
    """One text or a pair with the tokenizer's special tokens around it.

    Segment ids that are all 0 are left out: a model without them takes them for 0.
    """
    frame: Frame = tokenizer.single if len(texts) == 1 else tokenizer.pair
    types = frame.type_ids(*texts) if tokenizer.uses_types and any(frame.types) else None
    return Sequence(frame.ids(*texts), types)


def classifier_labels(ref: ModelRef) -> tuple[str, ...]:
    """The label names of a sequence-classification model, by output position, from its config.

    Raises:
        UsageError: it has fewer than two outputs or is a regression.
    """
    config = load_config(ref)
    if config.num_labels < 2 or config.problem_type == "regression":
        raise UsageError(f"model {ref.name}: not a classifier: it has no two labels to choose from")
    return tuple(str(config.id2label[i]) for i in range(config.num_labels))


def load_classifier(ref: ModelRef, run: Running) -> Classifier:
    """Loads a sequence-classification model with its tokenizer.

    Raises:
        UsageError: it cannot be loaded or is no classifier.
    """
    labels = classifier_labels(ref)
    config = load_config(ref)
    tokenizer = load_tokenizer(ref)
    return Classifier(
        ref=ref,
        backend=load_backend(ref, LOGITS, tokenizer.pad_id, tokenizer.uses_types, run),
        tokenizer=tokenizer,
        labels=labels,
        independent=config.problem_type == "multi_label_classification",
    )
