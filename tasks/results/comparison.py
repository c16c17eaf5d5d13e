"""A run's figures beside those of the night before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nocturna.tasks.inference.score_plan import LANGUAGE
from nocturna.tasks.results.checks import read_metrics
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import PUBLISHED, Manifest, list_runs

COUNTS = ("read", "scored", "failed", "quarantined", "superseded", "carried")


@dataclass(frozen=True)
class Compared:
    """A figure of a run, the same one of the night before, and the change.

    Attributes:
        before, change: empty where there is nothing to compare with.
    """

    figure: str
    tonight: str
    before: str
    change: str


def compared(layout: Layout, run_id: str) -> list[Compared]:
    """Counts and shares of a published run against the one published before it.

    Labels that only one of the two has count as a share of 0 in the other.
    """
    runs = [run for run in list_runs(layout) if run.status == PUBLISHED]
    position = next(at for at, run in enumerate(runs) if run.run_id == run_id)
    tonight = runs[position]
    earlier = runs[position - 1] if position else None
    return [*_counts(tonight, earlier), *_shares(layout, tonight, earlier)]


def _counts(tonight: Manifest, earlier: Manifest | None) -> list[Compared]:
    now, then = tonight.counts, earlier.counts if earlier else None
    rows = [
        _row(name, getattr(now, name), getattr(then, name) if then else None, _whole)
        for name in COUNTS
    ]
    rows.append(_row("seconds", tonight.seconds, earlier.seconds if earlier else None, _tenths))
    return rows


def _shares(layout: Layout, tonight: Manifest, earlier: Manifest | None) -> list[Compared]:
    """Shares of the labels in all that is published, of languages in what was scored."""
    now = read_metrics(layout, tonight.run_id)
    then = read_metrics(layout, earlier.run_id) if earlier else {}
    rows = []
    for kind, shares in shares_of(now).items():
        before = shares_of(then).get(kind, {})
        for label in dict.fromkeys([*shares, *before]):
            past = before.get(label, 0.0) if before else None
            rows.append(_row(f"{kind} {label}", shares.get(label, 0.0), past, _percent))
    return rows


def shares_of(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The shares of each score and of the languages in the metrics of a run.

    Those of a score are of the whole snapshot where it was measured.
    """
    if not metrics.get("ok") and "snapshot" not in metrics:
        return {}
    scores = metrics.get("snapshot", {}).get("scores") or metrics.get("scores", {})
    measured = {**scores, LANGUAGE: metrics.get(LANGUAGE, {})}
    found = {name: dict(figures.get("shares") or {}) for name, figures in measured.items()}
    return {name: shares for name, shares in found.items() if shares}


def _row(
    figure: str, now: float, then: float | None, show: Callable[[float, str], str]
) -> Compared:
    if then is None:
        return Compared(figure, show(now, ""), "", "")
    return Compared(figure, show(now, ""), show(then, ""), show(now - then, "+"))


def _whole(value: float, sign: str) -> str:
    return format(value, f"{sign if value else ''},.0f")


def _tenths(value: float, sign: str) -> str:
    return format(value, f"{sign},.1f")


def _percent(value: float, sign: str) -> str:
    unit = " points" if sign else " %"
    return format(value * 100, f"{sign},.1f") + unit
