"""A sequence-classification model: logits of many token sequences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import Reading, make_ready
from nocturna.tasks.inference.batches import Network, run_batches
from nocturna.tasks.inference.facts import network_facts
from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.inference.model_config import Outputs, classifier_outputs, refuse_other_network
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.passes import Pass, frame_sequence
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.tokens import TextTokenizer, check_frame, load_tokenizer


def _logits(network: Any) -> Any:
    from nocturna.tasks.inference.readout import classifier_reading

    return classifier_reading(network)


def _packed_logits(network: Any) -> Any:
    from nocturna.tasks.inference.readout import packed_classifier

    return packed_classifier(network)


LOGITS = Reading("logits", head=True, wrap=_logits, pack=_packed_logits)


@dataclass(frozen=True)
class Description:
    """What a classifier is, told without reading its weights.

    Attributes:
        unused: names of weights in its file that it has no place for.
    """

    outputs: Outputs
    tokenizer: TextTokenizer
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Classifier:
    """A loaded classifier."""

    ref: ModelRef
    network: Network
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
            Shape (n, outputs), float32.

        Raises:
            UsageError: the network has not as many outputs as its configuration says.
        """
        found = run_batches(
            self.network, lambda i: frame_sequence(self.tokenizer, texts(i)), lengths, run
        )
        if len(found) and found.shape[1] != self.outputs.count:
            raise UsageError(
                f"model {self.ref.name}: its config.json names {self.outputs.count} labels, but "
                f"its network has {found.shape[1]} outputs"
            )
        return found


def describe_classifier(ref: ModelRef, pairs: bool = False) -> Description:
    """Makes sure that a classifier can be loaded as its authors meant, and says what it is.

    Args:
        ref: the model.
        pairs: whether it is to read two texts at once.

    Raises:
        UsageError: it is no classifier, or its weights, tokenizer and configuration do not belong
            together.
    """
    refuse_other_network(ref, head=True)
    outputs = classifier_outputs(ref)
    network, tokenizer = network_facts(ref, head=True), load_tokenizer(ref)
    if pairs:
        if tokenizer.pair is None:
            raise UsageError(
                f"model {ref.name}: its tokenizer cannot put two texts together, which it "
                "has to read here; choose another model"
            )
        check_frame(ref, tokenizer.uses_types, tokenizer.pair, network)
    return Description(outputs, tokenizer, network.unused)


def load_classifier(ref: ModelRef, run: Running) -> Classifier:
    """Loads a sequence-classification model with its tokenizer.

    Raises:
        UsageError: it cannot be loaded or is no classifier.
    """
    found = describe_classifier(ref)
    tokenizer = found.tokenizer
    network = make_ready(ref, LOGITS, tokenizer.pad_id, tokenizer.uses_types, run)
    return Classifier(ref, network, tokenizer, found.outputs)


def classifier_pass(ref: ModelRef) -> Pass:
    """How a classifier reads texts one by one.

    Raises:
        UsageError: as `describe_classifier`.
    """
    found = describe_classifier(ref)
    return Pass(ref, LOGITS, found.tokenizer, found.tokenizer.room(ref), found.outputs.count)
