"""Ways to word labels as text tables for a terminal."""

from collections.abc import Iterator

import pyarrow as pa

from nocturna.tasks.evaluation.tables import table
from nocturna.tasks.evaluation.ways import Way
from nocturna.tasks.evaluation.wording_trial import WordingTrial, same_labels
from nocturna.tasks.visible import visible

PAIRS = 3
"""Overlapping pairs that are shown of each way."""

CHARACTERS = 100
"""Of a text that is shown."""


def trial_as_text(found: WordingTrial, differing: pa.Table, most: int) -> str:
    """What several ways gave, as tables.

    Args:
        differing: texts that differ, the ones to show first.
        most: how many of them to show.
    """
    unreadable = f"; {found.unreadable} rows drawn have no text" if found.unreadable else ""
    head = (
        f"{visible(found.corpus)}: {found.texts} texts by {visible(found.model)} "
        f"({found.kind}){unreadable}"
    )
    return "\n\n".join([head, *_parts(found, differing.slice(0, most))])


def _parts(found: WordingTrial, shown: pa.Table) -> Iterator[str]:
    yield "\n".join(f"way {way.number}: {_told(way)}" for way in found.ways)
    yield _shares(found)
    if len(found.ways) > 1:
        numbers = [str(way.number) for way in found.ways]
        rows = [
            (number, *(f"{value:.2f}" for value in row))
            for number, row in zip(numbers, found.kappas, strict=True)
        ]
        yield table(("kappa", *numbers), rows)
    if found.gold:
        yield _gold(found)
    yield _overlaps(found)
    if shown.num_rows:
        yield _texts(found, shown)
    elif len(found.ways) > 1:
        yield "All ways give every text the same label."


def _told(way: Way) -> str:
    worded = "; ".join(
        f"{label} ({', '.join(way.wordings[label])})" if label in way.wordings else label
        for label in way.labels
    )
    template = way.template if isinstance(way.template, str) else " | ".join(way.template)
    return visible(f"{worded}, in {template!r}")


def _shares(found: WordingTrial) -> str:
    """The share of each label, a column a way; labels that stand for each other are in one row."""
    first = found.ways[0].labels
    rows = {label: [label] for label in first}
    for number, way in enumerate(found.ways, 1):
        same = same_labels(first, way.labels)
        for label, share in way.shares.items():
            row = rows.setdefault(same[label], ["", *[""] * (number - 1)])
            told = f"{100 * share:.1f}" if share else "nobody"
            row.append(told if label == row[0] else f"{label} {told}")
        for row in rows.values():
            row.extend([""] * (number + 1 - len(row)))
    mean = ["mean score", *(f"{way.mean_score:.2f}" for way in found.ways)]
    header = ("share of the texts, %", *(f"way {way.number}" for way in found.ways))
    return table(header, [*rows.values(), mean])


def _gold(found: WordingTrial) -> str:
    rows = []
    for way in found.ways:
        pair = way.against_first
        against = (
            (f"{pair.difference:+.3f}", f"({pair.low:+.3f} to {pair.high:+.3f})", f"{pair.p:.2g}")
            if pair
            else ("", "", "")
        )
        accuracy = f"{way.accuracy:.3f}", f"({way.low:.3f} to {way.high:.3f})"
        rows.append((f"way {way.number}", *accuracy, *against))
    header = (f"{found.gold} gold rows", "accuracy", "95 %", "against way 1", "95 %", "p")
    return table(header, rows)


def _overlaps(found: WordingTrial) -> str:
    rows = [
        (
            *(f"way {way.number}: {pair.one} / {pair.other}", f"{100 * pair.contested:.0f} %"),
            "" if pair.cosine is None else f"{pair.cosine:.2f}",
        )
        for way in found.ways
        for pair in way.overlaps[:PAIRS]
    ]
    return table(("labels that overlap most", "contested", "cosine"), rows)


def _texts(found: WordingTrial, shown: pa.Table) -> str:
    rows = []
    for row in shown.to_pylist():
        text = " ".join(row["text"].split())
        text = text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"
        rows.append((text, *(str(row[f"way_{way.number}"]) for way in found.ways)))
    header = (
        f"{found.differing} texts differ, the surest first",
        *(f"way {way.number}" for way in found.ways),
    )
    return table(header, rows)
