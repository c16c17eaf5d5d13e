"""What the configs in the rows stand for, as a table beside the results."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import Bad, set_aside
from nocturna.tasks.results.layout import Layout

CONFIG_SCHEMA = pa.schema(
    [
        pa.field("config", pa.string()),
        pa.field("scores", pa.list_(pa.string())),
        pa.field("kind", pa.string()),
        pa.field("model", pa.string()),
        pa.field("revision", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("precision", pa.string()),
        pa.field("settings", pa.string()),
        pa.field("code_version", pa.string()),
        pa.field("run_id", pa.string()),
    ]
)
"""`scores` are all that have had the config; `settings` is JSON: template, windows, condition and
the other models; `run_id` is the first run."""


def note_configs(
    layout: Layout, scores: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]
) -> None:
    """Adds the configs of a run to `configs.parquet`; what is said of the others stays.

    Args:
        scores: as in the manifest.
        about: `precision`, `long_documents`, `code_version` and `run_id` of the run.
    """
    _set_unreadable_aside(layout)
    rows = {row["config"]: row for row in read_configs(layout).to_pylist()}
    before = {config: list(row["scores"] or ()) for config, row in rows.items()}
    for name, score in scores.items():
        row = rows.setdefault(score["config"], _row(score, about))
        row["scores"] = list(dict.fromkeys([*(row["scores"] or ()), name]))
    if before == {config: row["scores"] for config, row in rows.items()}:
        return
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows.values()), CONFIG_SCHEMA), sink)
    with files.clear_errors(layout.root):
        files.write_whole(layout.configs, sink.getvalue().to_pybytes())


def _set_unreadable_aside(layout: Layout) -> None:
    """Moves a table that is not ours out of the way of the one to be written; never loses it."""
    if not files.is_there(layout.configs):
        return
    try:
        if files.is_file(layout.configs):
            pq.read_schema(layout.configs).field("config")
            return
    except (OSError, KeyError, ValueError, pa.ArrowException):
        pass
    set_aside(layout, "tables", [Bad(layout.configs, "is no table of configs")])


def read_configs(layout: Layout) -> pa.Table:
    """Every config that rows of the job have had; none where the table cannot be read."""
    if not files.is_file(layout.configs):
        return CONFIG_SCHEMA.empty_table()
    try:
        return pq.read_table(layout.configs).select(CONFIG_SCHEMA.names).cast(CONFIG_SCHEMA)
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return CONFIG_SCHEMA.empty_table()


def _row(score: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    model = score["models"].get("model", {})
    settings = {
        **score["settings"],
        "when": score["when"],
        "labels_column": score["labels_column"],
        "long_documents": about["long_documents"],
        "other_models": {part: m for part, m in score["models"].items() if part != "model"},
    }
    return {
        "config": score["config"],
        "scores": [],
        "kind": score["kind"],
        "model": model.get("name"),
        "revision": model.get("revision"),
        "labels": list(score["labels"]),
        "precision": about["precision"],
        "settings": json.dumps(settings, ensure_ascii=False),
        "code_version": about["code_version"],
        "run_id": about["run_id"],
    }
