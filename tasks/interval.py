"""The interval of a share that was counted."""

import math

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


def wilson(hits: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = share + square / (2 * of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    scale = 1 + square / of
    low, high = (middle - half) / scale, (middle + half) / scale
    return (0.0 if hits == 0 else low), (1.0 if hits == of else high)
