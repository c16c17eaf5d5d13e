"""Taking back what a night published."""

import shutil

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.drift import label_drift
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.log_entries import logged_numbers
from nocturna.tasks.results.manifest import list_runs, write_manifest
from nocturna.tasks.results.recovery import Recovery, recover
from nocturna.tasks.results.rollback import earlier_snapshots, roll_back
from nocturna.tasks.results.snapshots import committed_snapshot, current_snapshot
from tests.flows.command import runner
from tests.results.examples import manifest_of, publish_ids, run_of
from tests.results.readers import with_pandas


@pytest.fixture
def nights(layout):
    for number in (1, 2, 3):
        write_manifest(layout, manifest_of(run_of(number), status="published", snapshot=number))
        publish_ids(layout, run_of(number), [f"d{n}" for n in range(number)])
    recover(layout)
    return layout


def test_an_earlier_snapshot_is_shown_again_and_stays_shown(nights):
    done = roll_back(nights, 1)
    assert (done.before, done.to, done.snapshot.number) == (3, 1, 4)
    assert with_pandas(nights.results) == {"d0": run_of(1)}
    assert recover(nights) == Recovery()
    assert with_pandas(nights.results) == {"d0": run_of(1)}
    assert {run.run_id: run.status for run in list_runs(nights)} == {
        run_of(1): "published",
        run_of(2): "withdrawn",
        run_of(3): "withdrawn",
    }
    assert current_snapshot(nights).back_to == 1
    assert committed_snapshot(nights, run_of(1)).number == 1


def test_what_can_be_shown_is_told_while_a_run_has_the_folder(nights, capsys, monkeypatch):
    command = runner(capsys, monkeypatch)
    with hold_lock(nights, run_of(4)):
        told = command("rollback", nights.root, "--list", "--json")
        assert command("rollback", nights.root).code == 75
    assert told.code == 0, told.err
    assert [snapshot["number"] for snapshot in told.json] == [2, 1]


def test_without_a_number_the_one_before_is_shown_and_so_on(nights):
    assert [s.number for s in earlier_snapshots(nights)] == [2, 1]
    assert roll_back(nights).to == 2
    assert [s.number for s in earlier_snapshots(nights)] == [3, 1]
    assert roll_back(nights).to == 1
    with pytest.raises(UsageError, match="no snapshot before 5 is kept; --to 0"):
        roll_back(nights)
    assert roll_back(nights, 3).to == 3
    assert {run.status for run in list_runs(nights)} == {"published"}


def test_the_first_run_can_be_taken_back_so_that_nothing_is_published(layout):
    publish_ids(layout, run_of(1), ["garbage"])
    roll_back(layout, 0)
    assert not layout.results.is_symlink()
    recover(layout)
    assert not layout.results.is_symlink()
    with pytest.raises(UsageError, match=r"nothing is published; choose --to 1 \(1 rows"):
        roll_back(layout)
    publish_ids(layout, run_of(2), ["good"])
    assert with_pandas(layout.results) == {"good": run_of(2)}
    assert logged_numbers(layout) == [1, 2, 3]


def test_what_was_taken_back_as_a_whole_can_be_shown_again(nights):
    roll_back(nights, 0)
    done = roll_back(nights, 2)
    assert (done.before, done.to) == (4, 2)
    assert set(with_pandas(nights.results)) == {"d0", "d1"}
    assert recover(nights) == Recovery()


def test_a_rollback_is_known_without_the_log(nights):
    roll_back(nights, 0)
    shutil.rmtree(nights.log)
    recover(nights)
    assert not nights.results.is_symlink()
    assert not current_snapshot(nights).parts


def test_only_whole_snapshots_can_be_rolled_back_to(nights):
    path = next(nights.snapshot(2).iterdir())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=r"--to 2: choose 1 \(1 rows, 20..-.*\) or 0"):
        roll_back(nights, 2)
    assert roll_back(nights).to == 1


def test_what_was_taken_back_is_no_measure_for_later_nights(nights):
    def figures(english):
        return {"language": {"counts": {"es": 100 - english, "en": english}}}

    for number, english in ((1, 10), (2, 20), (3, 90)):
        text = f'{{"metrics": {{"language": {{"counts": {{"es": {100 - english}, "en": {english}}}'
        nights.metrics(run_of(number)).write_text(text + "}}}")
    assert label_drift(nights, figures(10))["language"]["before"] == 300
    roll_back(nights, 1)
    drift = label_drift(nights, figures(10))["language"]
    assert (drift["before"], drift["shift"]) == (100, 0.0)
