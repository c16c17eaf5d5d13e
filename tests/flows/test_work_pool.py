"""The deployment of `prefect.yaml`: Prefect's own server, work pool and worker run the job."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.flows.serving import call
from tests.models import TEXTS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Prefect = Callable[..., str]


@pytest.fixture
def project(tmp_path, small_models) -> Path:
    """A checkout whose deployment scores a small corpus."""
    for name in ("flows", "tasks"):
        (tmp_path / name).symlink_to(ROOT / name)
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    job = described["deployments"][0]["parameters"]["job"]
    job["source"] = {"path": str(tmp_path / "c.jsonl"), "id": "id"}
    job["scores"] = {"sentiment": {"model": str(small_models["sentiment"])}}
    job["output"] = {"dir": str(tmp_path / "out")}
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    rows = [json.dumps({"id": f"d{i}", "text": text}) for i, text in enumerate(TEXTS)]
    (tmp_path / "c.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


@pytest.fixture
def prefect(project) -> Iterator[Prefect]:
    """Prefect's command towards a standing server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    program = Path(sys.executable).with_name("prefect")
    own = {"PREFECT_HOME": str(project / "home"), "PREFECT_API_URL": url, "PWD": str(project)}
    own |= {"COLUMNS": "300"}
    environment = os.environ | own | {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, "--no-prompt", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with (project / "server.txt").open("wb") as said:
        server = subprocess.Popen(
            [program, "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            cwd=project,
            env=environment,
            stdout=said,
            stderr=said,
        )
    try:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                if call(url, "health")[0] == 200:
                    break
            except OSError:
                time.sleep(0.5)
        yield run
    finally:
        server.terminate()
        server.wait(30)


def test_a_worker_runs_the_deployed_job(project, prefect):
    prefect("work-pool", "create", "--type", "process", "noche")
    prefect("deploy", "--all")
    prefect("deployment", "run", "nightly/opiniones")
    prefect("worker", "start", "--pool", "noche", "--run-once")
    until = time.monotonic() + 120
    results = project / "out" / "opiniones" / "results"
    while not results.exists() and time.monotonic() < until:
        time.sleep(0.5)
    rows = pd.read_parquet(results)
    assert len(rows) == len(TEXTS) and set(rows.status) == {"ok"}
    while time.monotonic() < until and "COMPLETED" not in prefect("flow-run", "ls"):
        time.sleep(1)
    assert "COMPLETED" in prefect("flow-run", "ls")
