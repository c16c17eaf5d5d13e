"""How far scores are from those of torch in fp32, which all others are measured against."""

from dataclasses import dataclass, replace

import numpy as np

from nocturna.tasks.inference.backends import REFERENCE
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.scorer import Known, Scores, score_texts


@dataclass(frozen=True)
class Deviation:
    """How far a precision is from fp32 on a sample of the job's own texts.

    Attributes:
        largest: largest absolute difference of any score; a label that is on only one of the two
            shortlists of a document counts as 0 on the other.
        changed_top: documents of which a top label differs.
        documents: size of the sample.
    """

    largest: float
    changed_top: int
    documents: int


def measure_deviation(
    plan: InferencePlan, texts: list[str], run: Running, known: Known | None = None
) -> Deviation:
    """Compares scores as `run` computes them with torch's in fp32, on the same texts and device."""
    found = score_texts(plan, texts, run, known=known)
    return deviation(found, reference_scores(plan, texts, run, known))


def reference_scores(
    plan: InferencePlan, texts: list[str], run: Running, known: Known | None = None
) -> Scores:
    """The scores of torch in fp32, which all others are measured against."""
    exact = replace(run, precision="fp32", backend=REFERENCE)
    return score_texts(plan, texts, exact, known=known)


def deviation(found: Scores, exact: Scores) -> Deviation:
    """How far scores are from the exact ones of the same texts."""
    documents = len(found.n_tokens)
    largest, changed = 0.0, np.zeros(documents, dtype=bool)
    for name, fast in found.by_name.items():
        ours, theirs = np.nan_to_num(fast.values), np.nan_to_num(exact.by_name[name].values)
        largest = max(largest, float(np.abs(ours - theirs).max(initial=0)))
        changed |= ours.argmax(axis=1) != theirs.argmax(axis=1)
    return Deviation(largest, int(changed.sum()), documents)
