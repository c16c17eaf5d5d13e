"""What else goes wrong at night: stops, damage, full disks, changed inputs, two runs at once."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from nocturna.tasks.errors import RunLocked, Stopped
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.manifest import list_runs
from tests.results.crash.night import count_texts, job_of, run_night, write_corpus
from tests.results.crash.trials import (
    PER_RUN,
    SHARD,
    left_over,
    rows_of,
    set_back,
)


@pytest.fixture
def scored(monkeypatch):
    """How many texts the models were given, each time."""
    texts = []
    count_texts(texts.append, monkeypatch.setattr)
    return texts


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    write_corpus(path, range(12), 0)
    return path


def different(found: pd.DataFrame, oracle: pd.DataFrame) -> int:
    """Rows that are not those of the oracle, apart from run and time, to 1e-5.

    Batches of other texts change a score in the seventh digit.
    """
    one, other = (rows.drop(columns=PER_RUN).set_index("doc_id") for rows in (found, oracle))
    if list(one.columns) != list(other.columns) or not one.index.is_unique:
        return len(other)
    both = other.index.intersection(one.index)
    same = np.ones(len(both), dtype=bool)
    for name in other.columns:
        a, b = one.loc[both, name], other.loc[both, name]
        if pd.api.types.is_float_dtype(a) and pd.api.types.is_float_dtype(b):
            same &= np.isclose(a, b, rtol=0, atol=1e-5, equal_nan=True)
        else:
            a, b = (values.astype(object).fillna("null") for values in (a, b))
            same &= (a == b).to_numpy()
    return len(one) + len(other) - 2 * len(both) + int((~same).sum())


def oracle(tmp_path, corpus):
    run_night(job_of(tmp_path / "oracle", corpus))
    return rows_of(layout_of(tmp_path / "oracle", "prensa"))


def stopped_after(shards, tmp_path, corpus, scored):
    """A run that is asked to stop once it has scored so many shards."""
    with pytest.raises(Stopped):
        run_night(job_of(tmp_path / "out", corpus), stop_after=shards)
    return layout_of(tmp_path / "out", "prensa")


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, corpus, scored):
    layout = stopped_after(2, tmp_path, corpus, scored)
    assert [run.status for run in list_runs(layout)] == ["stopped"]
    assert not layout.results.exists()
    run_night(job_of(tmp_path / "out", corpus))
    assert [run.status for run in list_runs(layout)] == ["published"]
    assert 12 <= sum(scored) <= 12 + SHARD, "at most the shard in hand is scored again"
    assert different(rows_of(layout), oracle(tmp_path, corpus)) == 0
    assert left_over(layout) == []


@pytest.mark.parametrize("damage", ["cut", "emptied", "swapped", "removed", "record"])
def test_a_part_that_was_damaged_meanwhile_is_scored_again(tmp_path, corpus, scored, damage):
    layout = stopped_after(2, tmp_path, corpus, scored)
    (run,) = list_runs(layout)
    first, second, *_ = sorted(layout.work(run.run_id).glob("part-*.parquet"))
    content = first.read_bytes()
    if damage == "removed":
        first.unlink()
    elif damage == "record":
        number = first.name.split("-")[2]
        (layout.work(run.run_id) / f"shard-{number}.json").write_bytes(b'{"shard":')
    else:
        damaged = {"cut": content[:-100], "emptied": b"", "swapped": second.read_bytes()}
        first.write_bytes(damaged[damage])
    run_night(job_of(tmp_path / "out", corpus))
    assert 12 < sum(scored) <= 12 + 2 * SHARD, "and the shard in hand, if there was one"
    assert different(rows_of(layout), oracle(tmp_path, corpus)) == 0
    assert left_over(layout) == []


def test_a_corpus_that_changed_meanwhile_starts_a_new_run_and_reuses_nothing(
    tmp_path, corpus, scored
):
    layout = stopped_after(2, tmp_path, corpus, scored)
    write_corpus(corpus, range(12), 1)
    run_night(job_of(tmp_path / "out", corpus))
    runs = {run.status: run.run_id for run in list_runs(layout)}
    assert set(runs) == {"stopped", "published"}
    assert SHARD + 12 <= sum(scored) <= 3 * SHARD + 12  # one shard is a document
    rows = rows_of(layout)
    assert set(rows["run_id"]) == {runs["published"]}
    assert different(rows, oracle(tmp_path, corpus)) == 0


def test_a_run_while_another_one_runs_is_refused_and_changes_nothing(tmp_path, corpus, scored):
    run_night(job_of(tmp_path / "out", corpus))
    layout = layout_of(tmp_path / "out", "prensa")
    before = rows_of(layout)
    write_corpus(corpus, range(12), 1)
    with hold_lock(layout, "of-the-night"), pytest.raises(RunLocked, match="of-the-night"):
        run_night(job_of(tmp_path / "out", corpus))
    assert rows_of(layout).equals(before)
    assert sorted(run.status for run in list_runs(layout)) == ["published", "skipped"]


def test_a_night_scores_only_what_is_new_or_changed(tmp_path, corpus, scored):
    job = job_of(tmp_path / "out", corpus)
    run_night(job)
    assert sum(scored) == 12
    run_night(job)
    assert sum(scored) == 12
    write_corpus(corpus, range(14), 1)
    run_night(job)
    assert sum(scored) == 12 + 4 + 2
    rows, whole = rows_of(layout_of(tmp_path / "out", "prensa")), oracle(tmp_path, corpus)
    moved = ["source_row"]
    assert different(rows.drop(columns=moved), whole.drop(columns=moved)) == 0


def test_deletions_are_kept_or_dropped_as_the_job_says(tmp_path, corpus, scored):
    job = job_of(tmp_path / "out", corpus)
    run_night(job)
    write_corpus(corpus, range(5), 0)
    run_night(job)
    layout = layout_of(tmp_path / "out", "prensa")
    assert len(rows_of(layout)) == 13
    output = job.output.model_copy(update={"deletions": "drop"})
    run_night(job.model_copy(update={"output": output}))
    assert set(rows_of(layout)["doc_id"]) == {"d0", "d1", "d2", "d3", "d4", "empty"}
    assert sum(scored) == 12


def test_a_full_rescore_scores_everything(tmp_path, corpus, scored):
    job = job_of(tmp_path / "out", corpus)
    run_night(job)
    run_night(job.model_copy(update={"full": True}))
    assert sum(scored) == 24


@pytest.mark.slow
def test_a_clock_that_was_set_back_between_two_nights_changes_nothing(tmp_path, corpus, scored):
    """The nights before seem to lie in the future."""
    job = job_of(tmp_path / "out", corpus)
    for night in range(4):
        write_corpus(corpus, range(12), night)
        run_night(job)
    layout = layout_of(tmp_path / "out", "prensa")
    set_back(layout, days=-1)
    write_corpus(corpus, range(12), 5)
    run_night(job)
    assert different(rows_of(layout), oracle(tmp_path, corpus)) == 0
    assert [p.name for p in sorted(layout.snapshots.iterdir())] == [
        f"{number:08d}" for number in range(1, 6)
    ]


@pytest.mark.slow
def test_a_disk_that_fills_up_or_cannot_be_written_is_one_clear_line_and_nothing_is_lost(tmp_path):
    command = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system gives no mount namespaces")
    command += [sys.executable, "-m", "tests.results.crash.full_disk", str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    trials = [json.loads(line) for line in told.stdout.splitlines()]
    assert trials[-1]["first"] == "done"
    assert "the file system is read-only: choose another folder" in trials[0]["first"]
    for trial in trials[1:-1]:
        assert "no space left: free some and run the same command again" in trial["first"]
    for trial in trials:
        assert trial["whole"], trial
        assert (trial["second"], trial["wrong"], trial["left"]) == ("done", 0, []), trial
    assert len(trials) > 3
