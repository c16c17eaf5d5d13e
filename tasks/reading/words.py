"""Which words moved a score: the text is scored again without each of them.

Representation by erasure: Li, Monroe and Jurafsky, Understanding Neural Networks through
Representation Erasure (2016). What leaving a span out takes from the score is what it gave.
"""

import re
from dataclasses import dataclass

from nocturna.tasks.reading.explaining import Explained, ScoreOfOne
from nocturna.tasks.reading.rescoring import rescored, scores_of, text_of
from nocturna.tasks.results.layout import Layout

MOST_SPANS = 64
"""A longer text is cut into so many spans of several words."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Span:
    """A piece of a text and what leaving it out does to a score.

    Attributes:
        start, end: characters of the text.
        effect: the score of the whole text less that of the text without the span: above 0 where
            the span speaks for the label.
    """

    text: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Moved:
    """The spans of a text by what they do to one score.

    Attributes:
        label: the label whose score was watched; None for a score that is a number.
        published: the score as published.
        again: the same, computed now; the effects are against this.
        spans: those whose absence changes the score most come first.
    """

    score: str
    label: str | None
    published: float
    again: float
    spans: tuple[Span, ...]


def moving_words(
    layout: Layout, found: Explained, text: str | None = None, only: str | None = None
) -> tuple[Moved, ...]:
    """Scores the text without each of its words, by the models that the row was scored with.

    Args:
        text: of the document, where it is not kept.
        only: the one score to look at; every one that the document has by default.

    Raises:
        UsageError: the text is not kept and not given, or another one; a model is not what it was.
    """
    text = text_of(found, text)
    return tuple(_moved(layout, score, text) for score in scores_of(found, only))


def spans_of(text: str, most: int = MOST_SPANS) -> list[tuple[int, int]]:
    """Where the words of a text are, or runs of words where there are many.

    >>> spans_of("No me gusta.")
    [(0, 2), (3, 5), (6, 12)]
    >>> spans_of("uno dos tres", most=2)
    [(0, 7), (8, 12)]
    """
    words = [found.span() for found in _WORD.finditer(text)]
    width = -(-len(words) // most) or 1
    groups = [words[at : at + width] for at in range(0, len(words), width)]
    return [(group[0][0], group[-1][1]) for group in groups]


def _moved(layout: Layout, score: ScoreOfOne, text: str) -> Moved:
    spans = spans_of(text)
    without = [(text[:start] + text[end:]).strip() for start, end in spans]
    whole, *others = _values(layout, score, [text, *without])
    effects = [
        Span(text[start:end], start, end, round(whole - value, 6))
        for (start, end), value in zip(spans, others, strict=True)
    ]
    published = score.value if score.label is None else score.score
    ordered = tuple(sorted(effects, key=lambda span: -abs(span.effect)))
    return Moved(score.name, score.label, float(published or 0), round(whole, 6), ordered)


def _values(layout: Layout, score: ScoreOfOne, texts: list[str]) -> list[float]:
    """The score of the label in each text; what cannot be scored counts as the mean of the rest."""
    import numpy as np

    labels, values = rescored(layout, score, texts)
    at = 0 if score.label is None else labels.index(score.label)
    of_label = values[:, at].astype(float)
    filled = np.where(np.isnan(of_label), np.nanmean(of_label), of_label)
    return [float(value) for value in filled]
