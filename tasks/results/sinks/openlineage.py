"""Lineage of a run as OpenLineage events, a line each in `runs/<run_id>/openlineage.ndjson`.

Nothing is sent anywhere: who collects lineage reads the file. The events follow version 2-0-2 of
https://openlineage.io/spec and hold names, counts and types, never rows.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from nocturna.tasks.addresses import member_of
from nocturna.tasks.results.layout import Layout

SPEC = "https://openlineage.io/spec"
NAMESPACE = "nocturna"
FILE = "openlineage.ndjson"
_KINDS = {
    "running": "START",
    "ready": "RUNNING",
    "published": "COMPLETE",
    "refused": "FAIL",
    "failed": "FAIL",
    "stopped": "ABORT",
    "skipped": "ABORT",
}


def note(layout: Layout, manifest: dict[str, Any], now: datetime | None = None) -> None:
    """Adds the event that a run's status stands for, unless it is the last one already.

    A run that goes on after it was stopped starts again.

    Args:
        manifest: the values of the run's manifest, as its file has them.
        now: time of the event; the present by default.
    """
    from nocturna.tasks.results import files

    path = layout.run(manifest["run_id"]) / FILE
    before, last = _events(layout, path)
    event = lineage_event(layout, manifest, now or datetime.now(UTC))
    if last.get("eventType") == event["eventType"]:
        return
    files.write_whole(path, before + json.dumps(event, ensure_ascii=False).encode() + b"\n")


def _events(layout: Layout, path: Path) -> tuple[bytes, dict[str, Any]]:
    """The events so far and the last of them; a file that cannot be read is set aside."""
    from nocturna.tasks.results import files
    from nocturna.tasks.results.damaged import Bad, set_aside
    from nocturna.tasks.results.stored import parsed, read_regular

    if not files.is_there(path):
        return b"", {}
    try:
        content = read_regular(path)
    except OSError:
        content = b"?"
    lines = [parsed(line) for line in content.splitlines()]
    if any(line.value is None for line in lines):
        set_aside(layout, "lineage events", [Bad(path, "cannot be read")])
        return b"", {}
    return content, (lines[-1].value or {}) if lines else {}


def lineage_event(layout: Layout, manifest: dict[str, Any], now: datetime) -> dict[str, Any]:
    """One OpenLineage RunEvent."""
    producer = f"urn:nocturna:{manifest['versions'].get('nocturna', 'unknown')}"
    event = {
        "eventType": _KINDS[manifest["status"]],
        "eventTime": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "run": {
            "runId": str(uuid5(NAMESPACE_URL, f"{NAMESPACE}:{manifest['run_id']}")),
            "facets": _run_facets(manifest),
        },
        "job": {"namespace": NAMESPACE, "name": manifest["job_name"]},
        "inputs": [_input(used) for used in manifest["inputs"]],
        "outputs": [_output(layout, manifest)],
    }
    _sign(event, producer)
    return {**event, "producer": producer, "schemaURL": _url("2-0-2/OpenLineage", "RunEvent")}


def _run_facets(manifest: dict[str, Any]) -> dict[str, Any]:
    versions = manifest["versions"]
    facets = {
        "processing_engine": {
            "_schemaURL": _url("facets/1-1-0/ProcessingEngineRunFacet"),
            "name": NAMESPACE,
            "version": versions.get("code") or versions.get("nocturna", "unknown"),
        },
        "nocturna_run": {
            "_schemaURL": _url("2-0-2/OpenLineage", "RunFacet"),
            "runId": manifest["run_id"],
            "configs": {name: score["config"] for name, score in manifest["scores"].items()},
        },
    }
    if manifest["status"] in {"refused", "failed", "stopped", "skipped"} and manifest.get("reason"):
        facets["errorMessage"] = {
            "_schemaURL": _url("facets/1-0-0/ErrorMessageRunFacet"),
            "message": manifest["reason"],
            "programmingLanguage": "PYTHON",
        }
    return facets


def _input(used: dict[str, Any]) -> dict[str, Any]:
    version = {
        "_schemaURL": _url("facets/1-0-0/DatasetVersionDatasetFacet"),
        "datasetVersion": used["fingerprint"],
    }
    statistics = {
        "_schemaURL": _url("facets/1-0-0/InputStatisticsInputDatasetFacet"),
        "rowCount": used["rows"],
        "size": used["size"],
    }
    return {
        **_named(used["uri"]),
        "facets": {"version": version},
        "inputFacets": {"inputStatistics": statistics},
    }


def _output(layout: Layout, manifest: dict[str, Any]) -> dict[str, Any]:
    from nocturna.tasks.results.log_entries import committed_snapshot
    from nocturna.tasks.results.parts import schema_of

    output: dict[str, Any] = _named(str(layout.results))
    snapshot = committed_snapshot(layout, manifest["run_id"])
    if snapshot is None or not snapshot.parts[0].path.exists():
        return output
    columns = {
        "_schemaURL": _url("facets/1-0-0/SchemaDatasetFacet"),
        "fields": [
            {
                "name": field.name,
                "type": str(field.type),
                "description": (field.metadata or {}).get(b"description", b"").decode(),
            }
            for field in schema_of(snapshot.parts[0].path)
        ],
    }
    version = {
        "_schemaURL": _url("facets/1-0-0/DatasetVersionDatasetFacet"),
        "datasetVersion": str(snapshot.number),
    }
    statistics = {
        "_schemaURL": _url("facets/1-0-2/OutputStatisticsOutputDatasetFacet"),
        "rowCount": snapshot.rows,
        "size": sum(part.bytes for part in snapshot.parts),
    }
    output["facets"] = {"schema": columns, "version": version}
    output["outputFacets"] = {"outputStatistics": statistics}
    return output


def _named(uri: str) -> dict[str, Any]:
    if (member := member_of(uri)) is not None:
        archive = _named(member[2])
        return {**archive, "name": f"{archive['name']}/{member[1]}"}
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return {"namespace": "file", "name": parts.path}
    return {"namespace": f"{parts.scheme}://{parts.netloc}", "name": parts.path.lstrip("/")}


def _url(document: str, definition: str | None = None) -> str:
    return f"{SPEC}/{document}.json#/$defs/{definition or document.rsplit('/', 1)[-1]}"


def _sign(value: Any, producer: str) -> None:
    """Gives each facet its producer, which the specification wants in every one."""
    if isinstance(value, list):
        for item in value:
            _sign(item, producer)
    elif isinstance(value, dict):
        for item in value.values():
            _sign(item, producer)
        if "_schemaURL" in value:
            value["_producer"] = producer
