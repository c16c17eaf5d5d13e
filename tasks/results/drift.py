"""Drift: how the label and language shares of a run differ from those of the nights before it.

Significance tests are no use on millions of rows, where a shift of 0.3 points is certain and means
nothing, and the usual limit of PSI sleeps through ten points: the gate is the largest change of a
share in points. PSI is kept as a figure.
"""

import json
import math
from collections import Counter
from typing import Any

from tasks.inference.score_plan import LANGUAGE
from tasks.results.layout import Layout
from tasks.results.snapshots import committed_numbers, read_entry

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
    """Documents by label of each score that has labels, and by language."""
    scores = metrics.get("scores", {})
    found = {name: figures["counts"] for name, figures in scores.items() if "counts" in figures}
    return found | ({LANGUAGE: metrics[LANGUAGE]["counts"]} if LANGUAGE in metrics else {})


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
    """Metrics of published runs, newest first; runs whose metrics are gone are left out."""
    runs = [read_entry(layout, number).run_id for number in reversed(committed_numbers(layout))]
    paths = [layout.metrics(run_id) for run_id in runs]
    return [json.loads(path.read_bytes())["metrics"] for path in paths if path.exists()]
