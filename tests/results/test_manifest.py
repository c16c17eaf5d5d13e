import json
from dataclasses import replace

import pytest

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.machine import machine_facts, package_versions, peak_rss_bytes
from nocturna.tasks.results.manifest import (
    InputUsed,
    list_runs,
    read_manifest,
    resumable_runs,
    write_manifest,
)
from nocturna.tasks.results.shard_records import Counts
from nocturna.tasks.run.describe import described
from tests.results.examples import TOPIC, manifest_of, publish_ids, run_of


def full_manifest():
    return manifest_of(
        run_of(1),
        inputs=(InputUsed("corpus.jsonl", 1234, "sha256:aa", 100),),
        scores={"topic": described(TOPIC)},
        versions=package_versions(),
        machine=machine_facts("cpu"),
        counts=Counts(read=100, scored=90, failed=8, quarantined=2, tokens=1960),
        timings={"score": 3.5},
        seconds=4.9,
        peak_rss_bytes=peak_rss_bytes(),
    )


def test_a_manifest_survives_the_disk(layout):
    manifest = full_manifest()
    write_manifest(layout, manifest)
    assert read_manifest(layout, run_of(1)) == manifest
    names = sorted(p.name for p in layout.run(run_of(1)).iterdir())
    assert names == ["manifest.json", "openlineage.ndjson"]


def test_a_manifest_can_be_read_without_us(layout):
    write_manifest(layout, full_manifest())
    values = json.loads(layout.manifest(run_of(1)).read_text(encoding="utf-8"))
    assert values["documents_per_second"] == 20.0
    assert values["tokens_per_second"] == 400.0
    assert values["inputs"][0]["fingerprint"] == "sha256:aa"
    assert values["scores"]["topic"]["labels"]["política"] == "topic_politica"
    assert values["scores"]["topic"]["config"] == TOPIC.config
    assert values["counts"]["quarantined"] == 2
    assert "política" in layout.manifest(run_of(1)).read_text(encoding="utf-8")


def test_versions_and_machine_say_what_decides_results():
    versions = package_versions()
    assert {"python", "torch", "transformers", "pyarrow", "duckdb"} <= set(versions)
    facts = machine_facts("cpu")
    assert facts["device"] == "cpu"
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 2**28
    assert peak_rss_bytes() > 2**20


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_missing_or_broken_manifest_is_one_clear_line(layout, content):
    if content is not None:
        layout.run(run_of(1)).mkdir(parents=True)
        layout.manifest(run_of(1)).write_bytes(content)
    with pytest.raises(NocturnaError, match="`nocturna runs` lists the runs"):
        read_manifest(layout, run_of(1))


def test_runs_are_listed_with_the_status_that_is_true_now(layout):
    for number, status in enumerate(["ready", "running", "running", "refused", "failed"]):
        run = manifest_of(run_of(number), status=status, started_at=f"2026-11-0{number + 1}")
        write_manifest(layout, run)
    publish_ids(layout, run_of(0), ["a"], note="fine")
    with hold_lock(layout, run_of(2)):
        runs = list_runs(layout)
    assert {m.run_id: m.status for m in runs} == {
        run_of(0): "published",
        run_of(1): "interrupted",
        run_of(2): "running",
        run_of(3): "refused",
        run_of(4): "failed",
    }
    assert [m.run_id for m in runs] == sorted(m.run_id for m in runs)
    assert (runs[0].snapshot, runs[0].reason) == (1, "fine")
    assert list_runs(replace(layout, root=layout.root / "elsewhere")) == []


def test_runs_that_can_go_on_have_a_plan_and_no_snapshot(layout):
    for number, status in enumerate(["published", "running", "stopped", "refused"]):
        run = manifest_of(run_of(number), status=status, started_at=f"2026-11-0{number + 1}")
        write_manifest(layout, run)
        if number != 2:
            layout.plan(run.run_id).write_bytes(b"{}")
    assert [m.run_id for m in resumable_runs(layout)] == [run_of(3), run_of(1)]


def test_a_run_planned_against_an_older_snapshot_cannot_go_on(layout):
    publish_ids(layout, "published", ["a"])
    for number, base in enumerate([0, 1]):
        run = manifest_of(run_of(number), status="stopped", base=base)
        write_manifest(layout, run)
        layout.plan(run.run_id).write_bytes(b"{}")
    assert [m.run_id for m in resumable_runs(layout)] == [run_of(1)]
