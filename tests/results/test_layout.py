from datetime import UTC, datetime

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.layout import (
    bare_name,
    layout_of,
    name_in_snapshot,
    new_run_id,
    number_of,
    out_and_job,
    short_run_id,
)


def test_the_paths_are_those_of_the_design(tmp_path):
    layout = layout_of(tmp_path, "prensa")
    paths = {
        layout.results: "results",
        layout.snapshot(42): "snapshots/00000042",
        layout.entry(42): "log/00000042.json",
        layout.plan("r1"): "runs/r1/plan.json",
        layout.manifest("r1"): "runs/r1/manifest.json",
        layout.metrics("r1"): "runs/r1/metrics.json",
        layout.quarantine("r1"): "quarantine/r1",
        layout.work("r1"): "work/r1",
        layout.index("r1"): "work/r1/index",
        layout.lock: ".lock",
    }
    for path, expected in paths.items():
        assert path == tmp_path / "prensa" / expected


def test_run_ids_sort_by_time_and_their_short_form_tells_them_apart():
    early = new_run_id(datetime(2026, 1, 1, tzinfo=UTC))
    late = new_run_id(datetime(2026, 1, 2, tzinfo=UTC))
    assert early.startswith("20260101T000000-")
    assert early < late
    assert short_run_id(early) == early[-8:]
    assert len({short_run_id(new_run_id()) for _ in range(100)}) == 100


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", ".", "a b", "-x"])
def test_a_run_id_that_is_no_folder_name_is_refused(tmp_path, run_id):
    with pytest.raises(UsageError, match="nocturna runs"):
        layout_of(tmp_path, "prensa").work(run_id)


@pytest.mark.parametrize("hash8", ["0f0f0f0f", "12345678"])
def test_a_part_is_named_anew_in_each_snapshot(hash8):
    own = f"part-1a2b3c4d-00007-{hash8}.parquet"
    first = name_in_snapshot(own, 1)
    assert first == f"part-1a2b3c4d-00007-{hash8}-00000001.parquet"
    assert name_in_snapshot(first, 42) == f"part-1a2b3c4d-00007-{hash8}-00000042.parquet"


def test_snapshot_numbers_are_read_from_exact_names_only():
    assert number_of("00000042") == number_of("00000042.json") == 42
    assert [number_of(n) for n in ("00000042.tmp", "42", ".00000042.json.tmp")] == [None] * 3


def test_a_part_keeps_its_bare_name_from_snapshot_to_snapshot():
    bare = "part-1a2b3c4d-00007-0f0f0f0f.parquet"
    second = name_in_snapshot(name_in_snapshot(bare, 41), 42)
    assert second == "part-1a2b3c4d-00007-0f0f0f0f-00000042.parquet"
    assert bare_name(second) == bare_name(bare) == bare
    assert bare_name("2026/part-00000-others.zstd.parquet") == "2026/part-00000-others.zstd.parquet"


@pytest.mark.parametrize("place", ["s3://", "s3://cubo", "s3:///prensa", "file:///tmp/out/prensa"])
def test_a_uri_that_names_no_folder_in_a_bucket_is_refused(place):
    with pytest.raises(UsageError, match=r"name the output folder|file:// is no place for results"):
        out_and_job(place)
