"""Quality gates: what must hold before a run is published.

Hard checks say that the pipeline itself went wrong and cannot be waived; soft ones say that the
input or the models did, and have limits in the job.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from nocturna.tasks.errors import QualityRefused
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.quality import Quality
from nocturna.tasks.results import files
from nocturna.tasks.results.check import Check
from nocturna.tasks.results.drift import label_drift
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.limits import soft_checks
from nocturna.tasks.results.measures import measure, measure_whole
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.schema import same_columns
from nocturna.tasks.results.shard_records import Counts, PartFile
from nocturna.tasks.results.stored import as_record, read_record


@dataclass(frozen=True)
class Checked:
    """All gates of a run, and its metrics: what `runs/<run_id>/metrics.json` holds."""

    checks: tuple[Check, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(c for c in self.checks if not c.passed and not c.warning)

    @property
    def warnings(self) -> tuple[Check, ...]:
        return tuple(c for c in self.checks if not c.passed and c.warning)


def check_run(
    layout: Layout,
    parts: Sequence[PartFile],
    schema: pa.Schema,
    counts: Counts,
    limits: Quality,
    scores: Sequence[ScorePlan] = (),
    aggregate: str = "mean",
    snapshot: Sequence[PartFile] | None = None,
    snapshot_rows: int = 0,
    language: str | None = None,
    gold: dict[str, dict[str, Any]] | None = None,
) -> Checked:
    """Measures a run's new parts in one pass and holds them against the gates.

    Args:
        parts: the parts that the run scored.
        schema: the one schema that they must have.
        counts: what the shards reported.
        scores: the scores of the rows.
        aggregate: how windows were joined; scores joined by `max` need not add up to 1.
        snapshot: all parts of the snapshot to be, where rows are carried over.
        snapshot_rows: rows that it must have.
        language: that of the job, ISO 639-1.
        gold: what the rows are worth on gold labels, by score.
    """
    measured = measure(layout, parts, scores, aggregate)
    violations = measured.pop("violations")
    ids, whole = measure_whole(layout, parts if snapshot is None else snapshot, scores)
    rows = whole["rows"]
    unaccounted = _unaccounted(counts, measured)
    if snapshot is not None:
        unaccounted += abs(rows - snapshot_rows)
    odd = [p.name for p in parts if not same_columns(schema_of(p.path), schema)]
    hard = (
        _zero("accounting", unaccounted, _accounting(counts, measured, rows)),
        _zero("one_schema", len(odd), f"{len(odd)} parts have other columns {odd[:1]}"),
        _zero("unique_doc_id", rows - ids, "{} rows lack a doc_id or repeat that of another row"),
        _zero("status", violations["status"], "{} rows have a status other than ok and failed"),
        _zero("no_null_score", violations["nulls"], "{} rows are ok but lack a score that is due"),
        _zero("no_failed_score", violations["extra"], "{} rows failed but have a score"),
        _zero("range", violations["range"], "{} rows have a score outside 0 to 1"),
        _zero("sum", violations["sum"], "{} rows have scores that do not add up to 1"),
        _zero("top_label", violations["top"], "{} rows do not name their highest score"),
    )
    documents = asked = counts.scored + counts.failed
    if asked < limits.shift_documents:  # so few tell nothing by themselves
        documents += counts.carried
    metrics = {
        "counts": asdict(counts),
        "quarantined_share": counts.quarantined / counts.read if counts.read else 0.0,
        "failed_share": counts.failed / documents if documents else 0.0,
        "unknown_share": counts.n_unknown / asked if asked else 0.0,
        **measured,
        "snapshot": whole,
        "drift": label_drift(layout, measured),
        "gold": gold or {},
    }
    return Checked((*hard, *soft_checks(metrics, limits, language)), metrics)


def write_metrics(layout: Layout, run_id: str, checked: Checked) -> None:
    """Writes `runs/<run_id>/metrics.json`: the checks, passed or not, and the metrics."""
    with files.clear_errors(layout.root):
        files.write_whole(layout.metrics(run_id), as_record(asdict(checked)))


def read_metrics(layout: Layout, run_id: str) -> dict[str, Any]:
    """The metrics of a run, as `write_metrics` left them; none where it did not come that far."""
    return read_checked(layout, run_id).metrics


def read_checked(layout: Layout, run_id: str) -> Checked:
    """The checks and metrics of a run; empty where it did not come that far or they are lost."""
    found = read_record(layout.metrics(run_id), Checked)
    return found.value if found and found.value else Checked()


def refuse(layout: Layout, run_id: str, checked: Checked, accepted: str | None = None) -> None:
    """Stops a run that a gate does not let pass.

    Args:
        accepted: why a person publishes it in spite of its soft checks, if one does.

    Raises:
        QualityRefused: one line with every gate that failed; `results` shows what it did before.
    """
    failed = [check for check in checked.failed if check.hard or not accepted]
    if not failed:
        return
    found = "; ".join(check.said_of(run_id) for check in failed)
    way_out = (
        ""
        if any(check.hard for check in failed)
        else (f"; `nocturna publish {run_id} --accept REASON` publishes it nevertheless")
    )
    raise QualityRefused(
        f"{layout.root}: run {run_id} is not published: {found}. "
        f"The rows stay in work/{run_id}, the figures in runs/{run_id}/metrics.json"
        f"{way_out}"
    )


def _zero(name: str, value: float, message: str) -> Check:
    return Check(name, True, value == 0, value, 0, message.format(f"{value:,}"))


def _unaccounted(counts: Counts, measured: dict[str, Any]) -> int:
    """Rows that reports and files do not agree on."""
    fine = counts.scored + counts.rewritten - counts.rewritten_failed
    failed = counts.failed + counts.rewritten_failed
    return (
        abs(counts.read - counts.told)
        + abs(measured["ok"] - fine)
        + abs(measured["rows"] - measured["ok"] - failed)
    )


def _accounting(counts: Counts, measured: dict[str, Any], rows: int) -> str:
    return (
        f"{counts.read:,} rows read are not {counts.scored:,} scored + {counts.failed:,} failed + "
        f"{counts.quarantined:,} quarantined + {counts.superseded:,} superseded + "
        f"{counts.carried:,} carried, or the parts hold "
        f"others ({measured['ok']:,} ok of {measured['rows']:,} written, {rows:,} in all)"
    )
