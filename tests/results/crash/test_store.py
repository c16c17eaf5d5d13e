"""Contract 2 in an object store: one whole snapshot at any instant, whichever machine goes on."""

from collections.abc import Iterator

import pytest

from tests.results.crash.store_trials import (
    StoreCase,
    StoreTrial,
    crash,
    decisive,
    prepare,
    store_points,
)
from tests.results.crash.storm import storm
from tests.results.crash.trials import SHARD, Server, serving
from tests.s3 import BUCKET, s3_server


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """Nights that find a store in their environment."""
    with s3_server() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        with serving(tmp_path_factory.mktemp("store-notes")) as running:
            yield running


@pytest.fixture(scope="module")
def case(server, tmp_path_factory) -> StoreCase:
    return prepare(server, f"s3://{BUCKET}/out", tmp_path_factory.mktemp("store-case"))


def must_be_clean(trial: StoreTrial) -> None:
    assert trial.clean, trial
    assert trial.scored_anew == 0, f"a night that was committed was scored again: {trial}"
    if not trial.elsewhere:
        assert trial.scored_again <= SHARD, f"more than the shard in hand: {trial}"


@pytest.mark.slow
def test_a_kill_where_it_matters_most_loses_nothing(server, case, tmp_path):
    for number, (kill_at, when) in enumerate(decisive(case)):
        must_be_clean(crash(server, case, tmp_path / str(number), kill_at, when, number == 1))


@pytest.mark.slow
def test_random_kills_under_two_machines_and_three_readers(server, tmp_path):
    found = storm(tmp_path, kills=4, out=f"s3://{BUCKET}/storm")
    assert found.clean, found
    assert found.kills >= 4 and found.reads > 0


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_a_kill_at_any_operation_on_the_store_loses_nothing(server, case, tmp_path, elsewhere):
    points = store_points(case)[:: 3 if elsewhere else 1]  # another machine waits for the lease
    for number, (kill_at, when) in enumerate(points):
        folder = tmp_path / f"{'there' if elsewhere else 'here'}-{number}"
        must_be_clean(crash(server, case, folder, kill_at, when, elsewhere))
