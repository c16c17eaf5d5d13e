"""A night on the gold files of its job: how good its scores are, and whether they were better."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.evaluation.agreement import bin_of, evaluate_labels
from nocturna.tasks.evaluation.intervals import intervals
from nocturna.tasks.evaluation.labelled import Labelled, read_labelled
from nocturna.tasks.evaluation.pairing import pairing
from nocturna.tasks.evaluation.prevalence import adjusted_shares
from nocturna.tasks.job.gold_files import GoldFile
from nocturna.tasks.job.job import Job, Source
from nocturna.tasks.results import files
from nocturna.tasks.results.gold_rows import count_labels
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.schema import score_columns
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.sql import connect, rows_of
from nocturna.tasks.run.gold_published import PublishedRows, judge_published

if TYPE_CHECKING:
    import duckdb


def read_gold(gold: GoldFile) -> Labelled:
    """The labelled rows of a job's gold file.

    Raises:
        UsageError: it is not there, cannot be read or lacks a column.
    """
    source = Source(path=gold.path, text=gold.text, keep=(gold.label,))
    return read_labelled(source, gold.label)


def measure_gold(
    layout: Layout, job: Job, parts: Sequence[PartFile], schema: pa.Schema
) -> dict[str, dict[str, Any]]:
    """What the rows of a snapshot to be are worth, by score.

    Both that snapshot and the one that readers see now are held against the gold file as it is
    tonight, so a change of the file is no change of the scores. A night does not fail because of
    it: what goes wrong is said.

    Args:
        parts: all of the snapshot.

    Returns:
        for each gold file its figures, in plain values; `before` compares documents that the
        current snapshot has too, None where it has none. Where it cannot be read, its `problem`.
    """
    found: dict[str, dict[str, Any]] = {}
    for score, gold in job.gold.items():
        try:
            with files.clear_errors(layout.root), connect(layout) as database:
                found[score] = _measured(database, layout, score, gold, parts, schema)
        except NocturnaError as error:
            found[score] = {"problem": str(error)}
        except Exception as error:
            found[score] = {"problem": f"unexpected {type(error).__name__}: {error}"}
    return found


def _measured(
    database: "duckdb.DuckDBPyConnection",
    layout: Layout,
    score: str,
    gold: GoldFile,
    parts: Sequence[PartFile],
    schema: pa.Schema,
) -> dict[str, Any]:
    labelled = read_gold(gold)
    if not any(part.rows for part in parts):
        raise UsageError("no document is published")
    now = judge_published(database, _source(parts), schema, score, labelled, gold.map)
    rows = now.rows
    measures = evaluate_labels(rows.gold, rows.scores, rows.labels, rows.design.weights)
    ends = intervals(rows)
    sure = bin_of(rows.scores.max(axis=1))
    shares = adjusted_shares(rows, count_labels(database, _source(parts), score)).shares
    return {
        "file": gold.path,
        "rows": measures.n,
        "not_published": now.missing,
        "accuracy": measures.accuracy,
        "interval": ends.accuracy,
        "macro_f1": measures.macro_f1,
        "calibration_error": measures.calibration_error,
        "bins": [
            {
                "rows": told.count,
                "right": int(rows.right[sure == at].sum()),
                "accuracy": told.accuracy,
            }
            for at, told in enumerate(measures.reliability)
        ],
        "weighed": not rows.design.is_even,
        "shares": [asdict(share) for share in shares],
        "before": _before(database, layout, score, gold, labelled, now),
    }


def _before(
    database: "duckdb.DuckDBPyConnection",
    layout: Layout,
    score: str,
    gold: GoldFile,
    labelled: Labelled,
    now: PublishedRows,
) -> dict[str, Any] | None:
    snapshot = current_snapshot(layout)
    if snapshot is None or not snapshot.rows:
        return None
    schema = schema_of(snapshot.parts[0].path)
    if set(score_columns(schema, score)) != set(now.rows.labels):
        return None
    try:
        then = judge_published(database, _source(snapshot.parts), schema, score, labelled, gold.map)
    except NocturnaError:  # none of the rows was there
        return None
    both, at_then, at_now = np.intersect1d(then.places, now.places, return_indices=True)
    if not len(both):
        return None
    found = pairing(then.rows.take(at_then), now.rows.take(at_now))
    return {
        "snapshot": snapshot.number,
        "rows": len(both),
        "accuracy": found.accuracy - found.difference,
        "difference": found.difference,
        "interval": (found.low, found.high),
        "p": found.p,
    }


def _source(parts: Sequence[PartFile]) -> str:
    return rows_of(part.path for part in parts if part.rows)
