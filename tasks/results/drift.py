"""Drift: how the label and language shares of a run differ from those of the nights before it.

Significance tests are no use on millions of rows, where a shift of 0.3 points is certain and means
nothing, and the usual limit of PSI sleeps through ten points: the gate is the largest change of a
share in points. PSI is kept as a figure.
"""

import math
from collections import Counter
from typing import Any

from nocturna.tasks.inference.score_plan import LANGUAGE
from nocturna.tasks.results.layout import Layout, is_safe
from nocturna.tasks.results.log_entries import line_of
from nocturna.tasks.results.stored import read_values

NIGHTS = 7
Counts = dict[str, int]


def label_drift(
    layout: Layout, metrics: dict[str, Any], nights: int = NIGHTS
) -> dict[str, dict[str, Any]]:
    """The drift of the labels and of the languages against the newest published runs.

    Labels are compared with runs that have the same ones. A language that appears or vanishes has
    a share of 0 before or now; documents whose language is not known are left out.

    Args:
        metrics: the figures of the run, as `measures.measure` gives them.
        nights: how many runs before it to compare with, together.

    Returns:
        for each score and `language`, where both the run and those before it scored
        documents: `documents` of the run and `before`, the `label` (or code of the language) that
        moved most, its `shift` (a share, signed) and `psi`.
    """
    found: dict[str, dict[str, Any]] = {}
    before = [_counts(earlier) for earlier in _earlier(layout)]
    for name, now in _counts(metrics).items():
        past = [counts[name] for counts in before if name in counts]
        if name != LANGUAGE:
            past = [counts for counts in past if list(counts) == list(now)]
        then = Counter[str]()
        for counts in past[:nights]:
            then.update(counts)
        if sum(now.values()) and sum(then.values()):
            names = dict.fromkeys([*now, *then])
            found[name] = _compare({n: now.get(n, 0) for n in names}, {n: then[n] for n in names})
    return found


def _counts(metrics: dict[str, Any]) -> dict[str, Counts]:
    """Documents by label of each score that has labels, and by language, as far as it is known."""
    scores = metrics.get("scores")
    measured = {**scores} if isinstance(scores, dict) else {}
    measured[LANGUAGE] = metrics.get(LANGUAGE)
    found: dict[str, Any] = {n: f.get("counts") for n, f in measured.items() if type(f) is dict}
    return {name: counts for name, counts in found.items() if _are_counts(counts)}


def _are_counts(counts: Any) -> bool:
    return isinstance(counts, dict) and all(type(n) is int for n in counts.values())


def _compare(now: Counts, then: Counts) -> dict[str, Any]:
    total_now, total_then = sum(now.values()), sum(then.values())
    shifts = {n: round(now[n] / total_now - then[n] / total_then, 6) for n in now}
    label = max(shifts, key=lambda n: abs(shifts[n]))
    return {
        "documents": total_now,
        "before": total_then,
        "label": label,
        "shift": shifts[label],
        "psi": round(_psi(now, then), 6),
    }


def _psi(now: Counts, then: Counts) -> float:
    """Population stability index, half a document standing in for none."""
    total_now, total_then = sum(now.values()), sum(then.values())
    pairs = [(max(now[n], 0.5) / total_now, max(then[n], 0.5) / total_then) for n in now]
    return sum((a - b) * math.log(a / b) for a, b in pairs)


def _earlier(layout: Layout) -> list[dict[str, Any]]:
    """Metrics of the runs that led to the current snapshot, newest first.

    Runs whose metrics are gone or cannot be read are left out.
    """
    runs = dict.fromkeys(snapshot.run_id for snapshot in line_of(layout))
    found = [read_values(layout.metrics(run_id)) for run_id in runs if is_safe(run_id)]
    values = [stored.value.get("metrics") for stored in found if stored and stored.value]
    return [metrics for metrics in values if isinstance(metrics, dict)]
