"""The runs of a job as a table: what each did and became."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import Manifest, list_runs
from nocturna.tasks.results.shard_records import Counts

_MOMENT = pa.timestamp("us")
_COUNTS = ("read", "scored", "failed", "quarantined", "superseded", "carried", "rewritten")
_JSON = ("scores", "inputs", "timings", "versions", "machine", "summaries", "sinks", "job")

RUNS_SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string()),
        pa.field("job_name", pa.string()),
        pa.field("status", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("started_at", _MOMENT),
        pa.field("finished_at", _MOMENT),
        pa.field("seconds", pa.float64()),
        pa.field("snapshot", pa.int64()),
        pa.field("base", pa.int64()),
        *(pa.field(name, pa.int64()) for name in _COUNTS),
        pa.field("tokens", pa.int64()),
        pa.field("documents_per_second", pa.float64()),
        pa.field("precision", pa.string()),
        pa.field("backend", pa.string()),
        pa.field("peak_rss_bytes", pa.int64()),
        pa.field("spent_usd", pa.float64()),
        pa.field("unrecorded", pa.string()),
        *(pa.field(name, pa.string()) for name in _JSON),
    ]
)
"""Times are UTC without a time zone; the last columns are JSON, as in the manifest."""


def runs_table(layout: Layout) -> pa.Table:
    """Every run of a job, the newest first, of RUNS_SCHEMA; what cannot be read of one is null."""
    return pa.Table.from_pylist([_row(run) for run in reversed(list_runs(layout))], RUNS_SCHEMA)


def _row(run: Manifest) -> dict[str, Any]:
    values = {name: value for name, value in asdict(run).items() if name in RUNS_SCHEMA.names}
    counted = run.counts != Counts()
    values |= {name: getattr(run.counts, name) if counted else None for name in _COUNTS}
    values |= {name: json.dumps(values[name], ensure_ascii=False, default=str) for name in _JSON}
    return values | {
        "tokens": run.counts.tokens if counted else None,
        "documents_per_second": run.documents_per_second or None,
        "started_at": moment(run.started_at),
        "finished_at": moment(run.finished_at),
        "seconds": run.seconds or None,
        "peak_rss_bytes": run.peak_rss_bytes or None,
        "spent_usd": (run.summaries or {}).get("spent_usd"),
    }


def moment(text: str | None) -> datetime | None:
    """A time of the records as UTC without a time zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
