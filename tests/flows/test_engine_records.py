"""An engine of Nocturna's own forgets old runs of Nocturna, and nothing of anybody else's."""

import os
import sqlite3
import time
from collections import Counter

import pytest

from nocturna.engine import start_engine


@pytest.fixture
def engine_that_forgets(tmp_path, monkeypatch):
    monkeypatch.setenv("NOCTURNA_ENGINE_DAYS", "0.00002")
    engine = start_engine(tmp_path / "home", tmp_path / "engine.log")
    try:
        assert engine.wait(60) is None
        yield engine
    finally:
        engine.stop()


def record(client, name: str, parameters: dict) -> None:
    """A run that has just ended, with a log line and an artifact."""
    from prefect import flow
    from prefect.client.schemas.actions import ArtifactCreate, LogCreate
    from prefect.states import Completed, Running

    run = client.create_flow_run(flow(lambda **kwargs: None, name=name), parameters=parameters)
    client.set_flow_run_state(run.id, Running())
    client.set_flow_run_state(run.id, Completed())
    line = LogCreate(name="x", level=20, message="m", timestamp=run.created, flow_run_id=run.id)
    client._client.post("/logs/", json=[line.model_dump(mode="json")]).raise_for_status()
    client.create_artifact(ArtifactCreate(key="nights", type="table", flow_run_id=run.id))


def left(database) -> dict[str, int]:
    """Rows of each kind by the flow that they belong to."""
    rows = Counter[str]()
    with sqlite3.connect(database) as connection:
        for table in ("flow_run", "log", "artifact"):
            run = "flow_run.id" if table == "flow_run" else f"{table}.flow_run_id"
            query = (
                f"SELECT flow.name, count(*) FROM {table} "
                + ("" if table == "flow_run" else f"LEFT JOIN flow_run ON {run} = flow_run.id ")
                + "LEFT JOIN flow ON flow_run.flow_id = flow.id GROUP BY 1"
            )
            for name, count in connection.execute(query):
                rows[f"{table} {name}"] = count
    return dict(rows)


@pytest.mark.slow
def test_old_runs_of_ours_are_forgotten_and_those_of_others_stay(engine_that_forgets, tmp_path):
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    where = {
        PREFECT_API_URL: engine_that_forgets.url,
        PREFECT_API_AUTH_STRING: engine_that_forgets.auth,
    }
    with temporary_settings(where), get_client(sync_client=True) as client:
        record(client, "score-corpus", {"job": {"name": "prensa"}})
        record(client, "score-corpus", {"another": "flow of that name"})
        record(client, "mine", {"job": {"name": "x"}})
    kinds = ("flow_run", "log", "artifact")
    wanted = {f"{kind} {name}": 1 for kind in kinds for name in ("score-corpus", "mine")}
    until = time.monotonic() + 30
    while (found := left(tmp_path / "home" / "prefect.db")) != wanted and time.monotonic() < until:
        time.sleep(0.5)
    assert found == wanted, (found, (tmp_path / "engine.log").read_text(), os.environ.get("HOME"))
