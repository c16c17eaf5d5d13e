"""What the nights were worth on the gold files of their job."""

from collections.abc import Mapping, Sequence
from typing import Any

from nocturna.tasks.results.checks import read_metrics
from nocturna.tasks.results.layout import Layout

MOST_NIGHTS = 60
"""In the line of accuracies."""


def gold_told(
    layout: Layout, nights: Sequence[Mapping[str, Any]], run_id: str | None
) -> dict[str, dict[str, Any]]:
    """What a night found on gold labels, by score, with the accuracy of the nights before it.

    Args:
        nights: rows of a history up to that night, oldest first.
        run_id: of the night.

    Returns:
        figures as the night left them, and `nights`: the accuracy of each of the last nights, None
        where it was not measured; the night itself is the last.
    """
    runs = list(dict.fromkeys(str(night["run_id"]) for night in nights))[-MOST_NIGHTS:]
    measured = [_gold(layout, run) for run in runs]
    found = _gold(layout, run_id) if run_id else {}
    return {
        score: {**figures, "nights": [night.get(score, {}).get("accuracy") for night in measured]}
        for score, figures in found.items()
    }


def _gold(layout: Layout, run_id: str) -> dict[str, dict[str, Any]]:
    found = read_metrics(layout, run_id).get("gold")
    if not isinstance(found, dict):
        return {}
    return {str(score): figures for score, figures in found.items() if isinstance(figures, dict)}
