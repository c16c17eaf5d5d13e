"""What each night published, score by score: the shares of labels as they went."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.runs_table import moment
from nocturna.tasks.results.checks import read_metrics
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import Snapshot, line_of

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("snapshot", pa.int64()),
        pa.field("run_id", pa.string()),
        pa.field("published_at", pa.timestamp("us")),
        pa.field("score", pa.string()),
        pa.field("label", pa.string()),  # null where a score is a number
        pa.field("documents", pa.int64()),  # with the label; of a number, those that have one
        pa.field("share", pa.float64()),  # 0 to 1, of the documents that have the score
        pa.field(
            "mean_score", pa.float64()
        ),  # of the best labels of all these documents, or of the number
    ]
)
"""A row a night, score and label; times are UTC without a time zone."""


def history_table(layout: Layout) -> pa.Table:
    """The nights that led to what is shown now, oldest first, of HISTORY_SCHEMA.

    What was rolled back is not among them. Shares are of all that was published that night, carried
    rows included; a night whose metrics are lost is left out.
    """
    nights = [s for s in reversed(line_of(layout)) if s.back_to is None and s.parts]
    rows = [row for night in nights for row in _rows(layout, night)]
    return pa.Table.from_pylist(rows, HISTORY_SCHEMA)


def _rows(layout: Layout, night: Snapshot) -> Iterator[dict[str, Any]]:
    metrics = read_metrics(layout, night.run_id)
    scores = metrics.get("snapshot", {}).get("scores") or metrics.get("scores") or {}
    about = {
        "snapshot": night.number,
        "run_id": night.run_id,
        "published_at": moment(night.published_at),
    }
    for name, figures in scores.items():
        row = {**about, "score": name, "mean_score": figures.get("mean_score")}
        if "shares" not in figures:
            yield row | {"documents": figures.get("documents"), "mean_score": figures.get("mean")}
            continue
        for label, share in figures["shares"].items():
            documents = figures.get("counts", {}).get(label)
            yield row | {"label": label, "documents": documents, "share": share}


def of_score(layout: Layout, score: str | None) -> pa.Table:
    """The history of one score, or of all.

    Raises:
        UsageError: no night has such a score, or nothing was published.
    """
    table = history_table(layout)
    if not table.num_rows:
        raise UsageError(f"{layout.place}: no night is on record here; `nocturna runs` lists runs")
    names = table["score"].unique().to_pylist()
    if score is not None and score not in names:
        raise UsageError(f"--score {score}: no such score; there are {', '.join(names)}")
    return table if score is None else table.filter(pc.equal(table["score"], score))
