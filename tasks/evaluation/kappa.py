"""How far two labellings agree beyond what chance would do."""

from collections import Counter
from collections.abc import Sequence


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's kappa: 1 where all labels agree, 0 where no more do than by chance.

    Cohen, A Coefficient of Agreement for Nominal Scales (1960). Where both give one and the same
    label to all, they agree and it is 1.

    >>> kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    0.5
    """
    n = len(one)
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / n if n else 1.0
    counts, others = Counter(one), Counter(other)
    chance = sum(counts[label] * others[label] for label in counts) / n**2 if n else 0.0
    return 1.0 if chance == 1 else (agreed - chance) / (1 - chance)
