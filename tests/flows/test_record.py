"""Two clocks with one engine, as two `nocturna serve` of one user have: each hears its own."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Scheduled

from nocturna.record import Record
from nocturna.schedule import make_schedule
from nocturna.serve import nightly
from nocturna.served_night import Due
from nocturna.tasks.job.job import Job

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def clock(tmp_path):
    with get_client(sync_client=True) as client:
        name = f"prensa-{uuid4().hex[:8]}"

        def make(folder: str) -> Record:
            job = Job(name=name, source={"path": "x.jsonl"}, output={"dir": str(tmp_path / folder)})
            began = datetime.now(UTC)
            schedule = make_schedule("0 2 * * *", "UTC")
            made = Record(client, nightly, [job], schedule, own=True, began=began)
            made.register()
            made.sync(lambda asked: None)
            return made

        yield make


@pytest.mark.slow
def test_each_of_two_clocks_with_one_engine_hears_what_is_of_its_own_folder(clock):
    first, second = clock("dev"), clock("prod")
    heard = {"first": [], "second": []}
    ((deployment, job),) = second._deployments.items()
    client, (date, *_) = second.client, second.schedule.next(datetime.now(UTC), 1)
    nights = [one.flow_run(one.jobs[0], date) for one in (first, second)]
    assert None not in nights and nights[0] != nights[1]

    # the night of the first one falls due, and a person starts what the engine shows
    now = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(seconds=1))
    client.set_flow_run_state(nights[0], now, force=True)
    asked = client.create_flow_run_from_deployment(deployment)
    for name, one in (("first", first), ("second", second)):
        one.sync(heard[name].append)
    assert heard["first"] == []
    assert [(due.flow_run, due.job.output.dir) for due in heard["second"]] == [
        (asked.id, job.output.dir)
    ]

    # a further clock of the second folder puts right what that one left, and no other
    clock("prod")
    assert client.read_flow_run(nights[0]).state.is_scheduled()
    assert Due(first.jobs[0], date).key != Due(job, date).key
