"""Nights for a person: shares as they went, and what changed between two."""

import itertools
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from rich.table import Table

from nocturna.console import person_console
from nocturna.tasks.reading.changes import Difference
from nocturna.terminal_tables import plain

MOST_MOVES = 40
"""From a label to another for a reason, of a table for a person; `--json` has all."""

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """Values as a line of bars, from 0 to the highest; a space where there is none.

    >>> sparkline([0.1, 0.2, None, 0.4])
    '▃▅ █'
    """
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    steps = len(_BARS) - 1
    return "".join(" " if v is None else _BARS[round(max(v, 0) / top * steps)] for v in values)


def print_history(found: pa.Table, nights: int) -> None:
    """Prints a line a score and label: its bars over all nights, the last nights, the change."""
    rows = found.to_pylist()
    when = {row["snapshot"]: row["published_at"] for row in rows}
    last = list(when)[-nights:]
    table = Table(box=None)
    for heading in ("score", "label", "nights"):
        table.add_column(heading, overflow="fold")
    for number in last:
        table.add_column(f"{number}: {when[number]:%Y-%m-%d}", justify="right")
    table.add_column("change", justify="right")
    for (score, label), group in itertools.groupby(
        sorted(rows, key=lambda row: _place(rows, row)),
        key=lambda row: (row["score"], row["label"]),
    ):
        values = {row["snapshot"]: _value(row) for row in group}
        line = [values.get(number) for number in when]
        shown = [_shown(values.get(number), label) for number in last]
        table.add_row(score, label or "mean", sparkline(line), *shown, _change(line, label))
    person_console().print(table)


def _place(rows: list[dict[str, Any]], row: dict[str, Any]) -> tuple[int, int]:
    """Where a score and a label come first, so that all nights of one are together."""
    scores = list(dict.fromkeys(r["score"] for r in rows))
    labels = list(dict.fromkeys((r["score"], r["label"]) for r in rows))
    return scores.index(row["score"]), labels.index((row["score"], row["label"]))


def _value(row: dict[str, Any]) -> float | None:
    return row["share"] if row["label"] is not None else row["mean_score"]


def _shown(value: float | None, label: str | None) -> str:
    if value is None:
        return ""
    return f"{value:,.4g}" if label is None else f"{value:.1%}"


def _change(line: Sequence[float | None], label: str | None) -> str:
    now, then = line[-1], line[-2] if len(line) > 1 else None
    if now is None or then is None:
        return ""
    return f"{now - then:+,.4g}" if label is None else f"{(now - then) * 100:+.1f} points"


def print_difference(found: Difference) -> None:
    """Prints what came and went, how labels moved and why, and the first such documents."""
    console = person_console()
    for name, night in (("before", found.before), ("after", found.after)):
        when = (night["published_at"] or "?")[:16]
        line = f"snapshot {night['snapshot']} of {when}, {night['rows']:,} documents"
        plain(console, f"{name:<10} {line}, run {night['run_id']}")
    counts = f"{found.new:,} new, {found.gone:,} gone, {found.changed_text:,} with another text"
    plain(console, f"{'documents':<10} {counts}")
    for words, names in (("only after", found.scores_new), ("only before", found.scores_gone)):
        if names:
            plain(console, f"{'scores':<10} {words}: {', '.join(names)}")
    if not found.moved:
        plain(console, "No document changed its label.")
        return
    table = Table(box=None)
    for heading in ("score", "before", "after", "why"):
        table.add_column(heading, overflow="fold")
    table.add_column("documents", justify="right")
    for move in found.moved[:MOST_MOVES]:
        ends = (move.before or "none", move.after or "none")
        table.add_row(move.score, *ends, move.why, f"{move.documents:,}")
    console.print(table)
    if len(found.moved) > MOST_MOVES:
        plain(console, f"and {len(found.moved) - MOST_MOVES:,} other moves; --json has all")
    for change in found.changes:
        before, after = (
            _end(change.before, change.before_score),
            _end(change.after, change.after_score),
        )
        plain(console, f"{change.doc_id}  {change.score}: {before} -> {after}, {change.why}")


def _end(label: str | None, score: float | None) -> str:
    return "none" if label is None else f"{label} {score:.2f}" if score is not None else label
