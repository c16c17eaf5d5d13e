from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nocturna.tasks.job.quality import Quality
from nocturna.tasks.results.checks import check_run, write_metrics
from nocturna.tasks.results.configs import note_configs
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.manifest import PUBLISHED, write_manifest
from nocturna.tasks.results.parts import sha256_of
from nocturna.tasks.results.shard_records import Counts
from nocturna.tasks.results.snapshots import publish
from tests.flows.command import Command, runner
from tests.results.examples import (
    COLUMNS,
    JOB,
    SCHEMA,
    documents,
    manifest_of,
    part_of,
    run_of,
)

NIGHTS = (["a", "b", "c", "d"], ["a", "b", "c", "d", "e", "f"], ["b", "c", "d", "e", "f"])


def night(layout: Layout, number: int, ids: list[str], version: int = 0) -> None:
    """A night as the flow leaves it: rows, checks, configs, manifest, snapshot."""
    run, n = run_of(number), len(ids)
    part = part_of(layout, run, 0, documents(ids, version))
    counts = Counts(read=n, scored=n, tokens=20 * n)
    checked = check_run(
        layout,
        [part],
        SCHEMA,
        counts,
        Quality(max_shift=1, warn_shift=1),
        scores=COLUMNS.scores,
        snapshot=[part],
        snapshot_rows=n,
    )
    write_metrics(layout, run, checked)
    scores = {
        score.name: {
            "kind": score.kind,
            "config": score.config,
            "models": {"model": {"name": "modelo", "revision": score.model.revision}},
            "labels": list(score.labels),
            "settings": {},
            "when": {},
            "labels_column": None,
        }
        for score in COLUMNS.scores
    }
    about = {"precision": "fp32", "long_documents": {}, "code_version": "0.1.0", "run_id": run}
    note_configs(layout, scores, about)
    publish(layout, run, [part], SCHEMA, now=datetime(2026, 11, number + 1, 2, 30, tzinfo=UTC))
    manifest = manifest_of(run, scores=scores, counts=counts, seconds=2.0, status=PUBLISHED)
    write_manifest(layout, replace(manifest, timings={"read": 0.5, "infer": 1.25}))


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a job after three nights; it is only read."""
    layout = layout_of(tmp_path_factory.mktemp("reading") / "out", JOB)
    for number, ids in enumerate(NIGHTS):
        night(layout, number, ids, version=number // 2)
    return layout.root


@pytest.fixture
def nocturna(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, as wide as it likes."""
    monkeypatch.setenv("COLUMNS", "200")
    return runner(capsys, monkeypatch)


def hashes(folder: Path) -> dict[str, str]:
    """What is in a folder, byte for byte."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): sha256_of(path) for path in found}
