import json
import re
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from nocturna.tasks.results import files
from nocturna.tasks.results.manifest import InputUsed, write_manifest
from nocturna.tasks.results.recovery import close_run
from nocturna.tasks.results.snapshots import current_snapshot
from tests.results.examples import SCHEMA, manifest_of, publish_ids, run_of

INPUTS = (
    InputUsed("/data/corpus.jsonl", 1234, "sha256:aa", 100),
    InputUsed("s3://bucket/notas/a.parquet", 99, "etag:bb", 7),
    InputUsed("zip://m/a.csv::/data/c.zip", 9, "sha256:cc", 2),
    InputUsed("tar://a.csv::s3://bucket/c.tar", 9, "sha256:dd", 2),
)
VERSIONS = {"nocturna": "0.1.0", "code": "0.1.0+abc", "python": "3.11"}


def events(layout, number=1):
    path = layout.run(run_of(number)) / "openlineage.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()]


def kinds(layout):
    return [event["eventType"] for event in events(layout)]


def manifest(status, **changes):
    return manifest_of(run_of(1), status=status, inputs=INPUTS, versions=VERSIONS, **changes)


def facets_in(value):
    if isinstance(value, list):
        return [facet for item in value for facet in facets_in(item)]
    if not isinstance(value, dict):
        return []
    inner = [facet for item in value.values() for facet in facets_in(item)]
    return [value, *inner] if "_schemaURL" in value else inner


def test_a_published_run_says_start_and_complete(layout):
    write_manifest(layout, manifest("running"))
    write_manifest(layout, manifest("ready"))
    publish_ids(layout, run_of(1), ["a", "b"])
    close_run(layout, current_snapshot(layout))
    assert kinds(layout) == ["START", "RUNNING", "COMPLETE"]
    assert len({event["run"]["runId"] for event in events(layout)}) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [("refused", "FAIL"), ("failed", "FAIL"), ("stopped", "ABORT")]
)
def test_a_run_that_did_not_end_well_says_why(layout, status, kind):
    write_manifest(layout, manifest("running"))
    write_manifest(layout, manifest(status, reason="12 rows too many"))
    last = events(layout)[-1]
    assert last["eventType"] == kind
    assert last["run"]["facets"]["errorMessage"]["message"] == "12 rows too many"


def test_a_run_that_goes_on_starts_again_and_a_status_is_said_once(layout):
    for status in ("running", "running", "stopped", "running", "ready", "ready"):
        write_manifest(layout, manifest(status))
    assert kinds(layout) == ["START", "ABORT", "START", "RUNNING"]


def test_events_have_what_the_specification_requires(layout):
    write_manifest(layout, manifest("running"))
    publish_ids(layout, run_of(1), ["a", "b"])
    close_run(layout, current_snapshot(layout))
    for event in events(layout):
        assert UUID(event["run"]["runId"])
        assert datetime.fromisoformat(event["eventTime"]).utcoffset() is not None
        assert event["producer"] == "urn:nocturna:0.1.0"
        assert event["schemaURL"].startswith("https://openlineage.io/spec/2-0-2/")
        assert {"namespace", "name"} <= event["job"].keys()
        for facet in facets_in(event):
            assert facet["_producer"] == event["producer"]
            pattern = r"https://openlineage\.io/spec/[a-z0-9/-]+/\w+\.json#/\$defs/\w+"
            assert re.fullmatch(pattern, facet["_schemaURL"])


def test_inputs_and_outputs_are_named_and_counted(layout):
    write_manifest(layout, manifest("running"))
    snapshot = publish_ids(layout, run_of(1), ["a", "b"])
    close_run(layout, snapshot)
    first, last = events(layout)[0], events(layout)[-1]
    assert [(i["namespace"], i["name"]) for i in last["inputs"]] == [
        ("file", "/data/corpus.jsonl"),
        ("s3://bucket", "notas/a.parquet"),
        ("file", "/data/c.zip/m/a.csv"),
        ("s3://bucket", "c.tar/a.csv"),
    ]
    assert last["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 100
    assert last["inputs"][0]["facets"]["version"]["datasetVersion"] == "sha256:aa"
    (output,) = last["outputs"]
    assert (output["namespace"], output["name"]) == ("file", str(layout.results))
    assert output["facets"]["version"]["datasetVersion"] == "1"
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (2, snapshot.parts[0].bytes)
    fields = output["facets"]["schema"]["fields"]
    assert [field["name"] for field in fields] == SCHEMA.names
    assert all(field["description"] for field in fields)
    assert "facets" not in first["outputs"][0]


def test_a_line_is_whole_or_not_there(layout, monkeypatch):
    write_manifest(layout, manifest("running"))

    def fails(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "rename", fails)
    with pytest.raises(Exception, match="Input/output error"):
        write_manifest(layout, manifest("failed"))
    assert kinds(layout) == ["START"]


def test_versions_may_be_missing(layout):
    write_manifest(layout, replace(manifest("running"), versions={}))
    assert events(layout)[0]["producer"] == "urn:nocturna:unknown"
