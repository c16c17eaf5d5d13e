"""Contract 2: readers never see half a run, and a kill at any instant loses nothing."""

import random

import pytest

from tests.results.crash.storm import storm
from tests.results.crash.trials import SHARD, crash, decisive, points

SEED = 20261123
"""Of the sample of points that `make test` tries; `make test-all` tries all of them."""


def must_be_clean(trial):
    assert trial.clean, trial
    assert trial.scored_again <= SHARD, f"more than the shard in hand was scored again: {trial}"
    assert trial.scored_anew == 0, f"a night that was committed was scored again: {trial}"


def test_a_kill_where_it_matters_most_loses_nothing(server, case, tmp_path):
    """At the points where a night becomes visible, and at some of all the others."""
    chosen = [*decisive(case), *random.Random(SEED).sample(points(case), 1)]
    assert len(chosen) >= 6
    for number, (kill_at, when) in enumerate(chosen):
        must_be_clean(crash(server, case, tmp_path / str(number), kill_at, when))


@pytest.mark.slow
def test_a_kill_at_any_point_loses_nothing(server, case, tmp_path):
    for number, (kill_at, when) in enumerate(points(case)):
        must_be_clean(crash(server, case, tmp_path / str(number), kill_at, when))


@pytest.mark.slow
def test_random_kills_under_two_runs_and_three_readers(tmp_path):
    found = storm(tmp_path, kills=2)
    assert found.clean, found
    assert found.kills >= 2
    assert found.reads > 0


@pytest.mark.slow
def test_a_thousand_random_kills(tmp_path):
    found = storm(tmp_path, kills=1000)
    assert found.clean, found
    assert found.scored_again <= SHARD * found.kills, found
