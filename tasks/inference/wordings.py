"""The sentences that stand for a label: templates times wordings, and one score from all of theirs.

For each template the scores are those that the model's own pipeline gives with every wording of
every label as a candidate; the best or the mean of a label's wordings is its score, shares of one
whole are made to add up again, and the score is the mean over the templates.

Source of averaging templates: Radford et al. 2021, "Learning Transferable Visual Models From
Natural Language Supervision" (prompt ensembling).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Wordings:
    """What stands for each of some labels.

    Attributes:
        sentences: template by template, in each every wording of every label.
        at: positions among them, shape (templates, labels, most wordings), -1 beyond a label's own.
        best: whether the best wording counts, or the mean of them.
    """

    sentences: list[str]
    at: "NDArray[np.int64]"
    best: bool

    def of_labels(self, labels: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Positions of the sentences about some labels.

        Args:
            labels: positions of labels, shape (rows, most), -1 for none.

        Returns:
            shape (rows, templates, most, most wordings), -1 for none.
        """
        import numpy as np

        found = np.moveaxis(self.at[:, labels], 0, 1)
        return np.where(labels[:, None, :, None] < 0, -1, found)

    def joined(
        self, scores: "NDArray[np.floating[Any]]", at: "NDArray[np.int64]", shares: bool
    ) -> "NDArray[np.float32]":
        """One score a label, shape (rows, most), 0 for none.

        Args:
            scores: of each sentence, shape (rows, templates, most, most wordings).
            at: positions of the sentences, in the same shape, -1 for none.
            shares: whether a row's scores are to add up to 1.
        """
        import numpy as np

        there = at >= 0
        exact = np.where(there, scores, 0).astype(np.float64)
        if self.best:
            found = exact.max(axis=-1)  # a score is never below 0
        else:
            found = exact.sum(axis=-1) / np.maximum(1, there.sum(axis=-1))
        if shares and at.shape[-1] > 1:
            found /= found.sum(axis=-1, keepdims=True)
        return found.mean(axis=1).astype(np.float32)

    def alike(self, likeness: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """How like each label is, of how like each sentence is; shape (rows, labels)."""
        import numpy as np

        every = likeness[:, self.at]
        there = np.broadcast_to(self.at >= 0, every.shape)
        if self.best:
            found = np.where(there, every, -np.inf).max(axis=-1)
        else:
            found = np.where(there, every, 0).sum(axis=-1) / there.sum(axis=-1)
        return found.mean(axis=1).astype(np.float32)


def softmax_of(logits: "NDArray[np.float32]", at: "NDArray[np.int64]") -> "NDArray[np.float32]":
    """Shares of the sentences of each template, in the shape of `Wordings.of_labels`."""
    import numpy as np

    from nocturna.tasks.inference.probabilities import softmax

    flat = np.where(at < 0, np.float32("-inf"), logits).reshape(*at.shape[:2], -1)
    return softmax(flat).reshape(at.shape)


def word_labels(
    settings: Mapping[str, Any], labels: Sequence[str], templates: Sequence[str] = ()
) -> Wordings:
    """The sentences about some labels.

    Args:
        settings: of a score: `template`, one or several; `wordings` by label and whether the `best`
            of them counts, where the job has such.
        labels: those of the score, or those that documents bring along.
        templates: others than those of the score.
    """
    import numpy as np

    told = settings["template"]
    templates = templates or ((told,) if isinstance(told, str) else told)
    own = settings.get("wordings") or {}
    worded = [tuple(own.get(label, (label,))) for label in labels]
    most = max(map(len, worded), default=1)
    at = np.full((len(templates), len(worded), most), -1, dtype=np.int64)
    sentences: list[str] = []
    for number, template in enumerate(templates):
        for label, wordings in enumerate(worded):
            at[number, label, : len(wordings)] = np.arange(len(wordings)) + len(sentences)
            sentences += [template.replace("{}", wording) for wording in wordings]
    return Wordings(sentences, at, settings.get("joined", "best") == "best")
