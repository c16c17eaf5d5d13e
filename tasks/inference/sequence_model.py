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
class Outputs:
    """What the outputs of a sequence-classification model are.

    Attributes:
        labels: the model's own names, by position; none where the output is one number.
        independent: whether each output is a probability by itself.
        raw: whether the output is a number as it is.
    """

    labels: tuple[str, ...]
    independent: bool = False
    raw: bool = False


@dataclass(frozen=True)
class Classifier:
    """A loaded classifier."""

    ref: ModelRef
    backend: Backend
    tokenizer: TextTokenizer
    outputs: Outputs

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


def classifier_outputs(ref: ModelRef) -> Outputs:
    """What a sequence-classification model gives, from its configuration.

    Raises:
        UsageError: its labels do not tell its outputs apart.
    """
    config = load_config(ref)
    if config.problem_type == "regression":
        if config.num_labels > 1:
            raise UsageError(f"model {ref.name}: a regression of several numbers is no score")
        return Outputs((), raw=True)
    if config.num_labels == 1:
        return Outputs((), independent=True)
    labels = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    return Outputs(labels, independent=config.problem_type == "multi_label_classification")


def classifier_labels(ref: ModelRef) -> tuple[str, ...]:
    """The label names of a sequence-classification model, by output position, from its config.

    Raises:
        UsageError: it has fewer than two outputs or is a regression.
    """
    labels = classifier_outputs(ref).labels
    if not labels:
        raise UsageError(f"model {ref.name}: not a classifier: it has no two labels to choose from")
    return labels


def load_classifier(ref: ModelRef, run: Running) -> Classifier:
    """Loads a sequence-classification model with its tokenizer.

    Raises:
        UsageError: it cannot be loaded or is no classifier.
    """
    tokenizer = load_tokenizer(ref)
    return Classifier(
        ref=ref,
        backend=load_backend(ref, LOGITS, tokenizer.pad_id, tokenizer.uses_types, run),
        tokenizer=tokenizer,
        outputs=classifier_outputs(ref),
    )
