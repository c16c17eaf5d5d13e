"""A sequence-classification model: logits of many token sequences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import UsageError
from tasks.inference.backends import Reading, load_backend
from tasks.inference.batches import Backend, Sequence, run_batches
from tasks.inference.model_config import classifier_labels, is_independent
from tasks.inference.models import ModelRef
from tasks.inference.running import Running
from tasks.inference.tokens import Frame, Ids, TextTokenizer, load_tokenizer


def _logits(network: Any) -> Any:
    from tasks.inference.reading import classifier_reading

    return classifier_reading(network)


def _packed_logits(network: Any) -> Any:
    from tasks.inference.reading import packed_classifier

    return packed_classifier(network)


LOGITS = Reading("logits", head=True, wrap=_logits, pack=_packed_logits)


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

        Raises:
            UsageError: the network has not as many outputs as its configuration names labels.
        """
        found = run_batches(
            self.backend, lambda i: frame_sequence(self.tokenizer, texts(i)), lengths, run
        )
        if len(found) and found.shape[1] != len(self.labels):
            raise UsageError(
                f"model {self.ref.name}: its config.json names {len(self.labels)} labels, but its "
                f"network has {found.shape[1]} outputs"
            )
        return found


def frame_sequence(tokenizer: TextTokenizer, texts: tuple[Ids, ...]) -> Sequence:
    """One text or a pair with the tokenizer's special tokens around it.

    Segment ids that are all 0 are left out: a model without them takes them for 0.
    """
    frame: Frame = tokenizer.single if len(texts) == 1 else tokenizer.pair
    types = frame.type_ids(*texts) if tokenizer.uses_types and any(frame.types) else None
    return Sequence(frame.ids(*texts), types)


def load_classifier(ref: ModelRef, run: Running) -> Classifier:
    """Loads a sequence-classification model with its tokenizer.

    Raises:
        UsageError: it cannot be loaded or is no classifier.
    """
    labels = classifier_labels(ref)
    tokenizer = load_tokenizer(ref)
    return Classifier(
        ref=ref,
        backend=load_backend(ref, LOGITS, tokenizer.pad_id, tokenizer.uses_types, run),
        tokenizer=tokenizer,
        labels=labels,
        independent=is_independent(ref),
    )
