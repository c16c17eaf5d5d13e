"""The soak, for as many nights as it takes to see that retention works."""

import pytest

from tests.benchmarks.soak import GROWING_NIGHTS, KEPT_RUNS, soak

NIGHTS = 8


@pytest.mark.slow
def test_what_serve_holds_does_not_grow_with_the_nights(tmp_path):
    (tmp_path / "home").mkdir()
    nights = soak(NIGHTS, tmp_path)
    first, last = nights[1], nights[-1]
    assert last.processes == first.processes
    assert last.fds <= first.fds + 2
    assert last.threads <= first.threads + 4
    assert last.rss_mb < first.rss_mb * 1.1
    grown = last.files - nights[GROWING_NIGHTS - 1].files
    assert grown < 6 * (NIGHTS - GROWING_NIGHTS), "every night leaves less than it makes"
    runs = list((tmp_path / "out" / "noches" / "runs").iterdir())
    assert len(runs) <= NIGHTS and len(runs) >= KEPT_RUNS
    snapshots = list((tmp_path / "out" / "noches" / "snapshots").iterdir())
    assert len(snapshots) == 2, "as many as the job's retention keeps"
