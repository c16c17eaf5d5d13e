"""Runs that a soft gate refused: kept for a look, and published if a person gives a reason."""

import pytest

from nocturna.tasks.errors import NocturnaError, QualityRefused, UsageError
from nocturna.tasks.publish import accept_run, publish_shares
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.manifest import list_runs
from nocturna.tasks.results.snapshots import current_snapshot
from tests.results.crash.night import job_of, run_night, write_corpus
from tests.results.crash.trials import left_over, rows_of


@pytest.fixture
def refused(tmp_path):
    """A run of thirteen documents, refused because one of them has no text."""
    corpus = tmp_path / "corpus.jsonl"
    write_corpus(corpus, range(12), 0)
    job = job_of(tmp_path / "out", corpus)
    strict = job.quality.model_copy(update={"max_failed": 0.0})
    with pytest.raises(QualityRefused, match="of the documents have no score"):
        run_night(job.model_copy(update={"quality": strict}))
    layout = layout_of(tmp_path / "out", "prensa")
    (run,) = list_runs(layout)
    assert not layout.results.exists()
    return layout, run.run_id


def test_a_refused_run_is_published_with_a_reason_that_is_kept(refused):
    layout, run_id = refused
    accept_run(layout, run_id, " empty texts are expected ")
    assert len(rows_of(layout)) == 13
    (published,) = list_runs(layout)
    assert (published.status, published.reason) == ("published", "empty texts are expected")
    assert current_snapshot(layout).note == "empty texts are expected"
    assert left_over(layout) == []


def test_only_a_refused_run_can_be_accepted_and_only_with_a_reason(refused):
    layout, run_id = refused
    with pytest.raises(UsageError, match="needs a reason"):
        accept_run(layout, run_id, "  ")
    accept_run(layout, run_id, "fine")
    with pytest.raises(UsageError, match="was not refused: it is published"):
        accept_run(layout, run_id, "fine")


def test_a_refused_run_that_is_published_without_a_reason_stays_refused(refused):
    layout, run_id = refused
    with pytest.raises(QualityRefused, match="--accept REASON"):
        publish_shares(layout, run_id)
    (run,) = list_runs(layout)
    assert run.status == "refused" and "of the documents have no score" in run.reason
    accept_run(layout, run_id, "fine")
    assert len(rows_of(layout)) == 13


def test_a_refused_run_whose_work_was_damaged_is_not_accepted(refused):
    layout, run_id = refused
    next(layout.work(run_id).glob("part-*.parquet")).unlink()
    with pytest.raises(NocturnaError, match=r"1 of 4 shards .* are gone or damaged"):
        accept_run(layout, run_id, "fine")
    assert not layout.results.exists()


def test_a_refused_run_is_not_accepted_after_another_was_published(refused, tmp_path):
    layout, run_id = refused
    other = tmp_path / "other.jsonl"
    write_corpus(other, range(3), 1)
    run_night(job_of(tmp_path / "out", other))
    before = rows_of(layout)
    with pytest.raises(NocturnaError, match="another run published since"):
        accept_run(layout, run_id, "fine")
    assert rows_of(layout).equals(before)
