"""What each window of a long document scored, before they became the scores of the document."""

from dataclasses import dataclass

from nocturna.tasks.reading.explaining import Explained
from nocturna.tasks.reading.rescoring import rescored, scores_of, text_of
from nocturna.tasks.results.layout import Layout


@dataclass(frozen=True)
class WindowScore:
    """A window of a document.

    Attributes:
        start, end: its tokens, from 0, the end excluded; neighbours share some.
        labels: the score of each label in it; of a score that is a number, that under `value`.
    """

    score: str
    start: int
    end: int
    labels: dict[str, float]


def window_scores(
    layout: Layout, found: Explained, text: str | None = None, only: str | None = None
) -> tuple[WindowScore, ...]:
    """Scores the text window by window, by the models that the row was scored with.

    Args:
        text: of the document, where it is not kept.
        only: the one score to look at; every one that the document has by default.

    Raises:
        UsageError: the text is not kept and not given, or another one; a model is not what it was.
    """
    from nocturna.tasks.inference.windows import watching

    text, every = text_of(found, text), []
    for score in scores_of(found, only):
        with watching() as seen:
            labels, _ = rescored(layout, score, [text])
        for windows, values in seen:
            for number, ids in enumerate(windows.ids):
                start = int(windows.starts[number])
                end = start + max(0, len(ids) - windows.prompt)
                named = zip(labels or ("value",), values[number].tolist(), strict=False)
                scored = {label: round(value, 6) for label, value in named}
                every.append(WindowScore(score.name, start, end, scored))
    return tuple(every)
