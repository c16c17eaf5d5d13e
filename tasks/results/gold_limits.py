"""Checks of how good the scores of a night are on documents whose right label is known."""

from typing import Any

from nocturna.tasks.job.quality import Quality
from nocturna.tasks.results.check import Check

SURE = 0.05
"""Chance makes a fall with at most this probability, or a gate does not hold it against a night."""


def gold_checks(score: str, figures: dict[str, Any], limits: Quality) -> list[Check]:
    """The checks of a score that has a gold file.

    A fall is that of the documents that both nights have, with the same text or another, each
    against the same gold label: it is of the scores, not of the file.

    Args:
        figures: as `measure_gold` leaves them.
    """
    if "problem" in figures:
        text = f"{score} was not measured on gold labels: {figures['problem']}"
        return [Check(f"{score}_gold_file", False, False, 0, 0, text, warning=True)]
    checks = []
    accuracy, least = figures["accuracy"], limits.min_gold_accuracy
    if least is not None:
        text = f"{score} is right on {accuracy:.1%} of {figures['rows']:,} gold rows, at least "
        text += f"{least:.1%} are wanted: look at the wrong ones with `nocturna evaluate --errors`"
        checks.append(
            Check(f"{score}_gold_accuracy", False, accuracy >= least, accuracy, least, text)
        )
    before, most = figures["before"], limits.max_gold_drop
    if before is None or most is None:
        return checks
    fall = -before["difference"]
    known = before["p"] < SURE
    text = (
        f"{score} is right on {fall * 100:.1f} points fewer of {before['rows']:,} gold rows than "
        f"the night before (limit {most * 100:g}; by chance: p {before['p']:.2g}): look at what "
        "changed in the model, the labels or the texts"
    )
    return [*checks, Check(f"{score}_gold_drop", False, fall <= most, fall, most, text, not known)]
