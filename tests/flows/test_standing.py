"""A standing Prefect server on Postgres, as docs/operations.md describes it, and what it shows."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nocturna.schedule import make_schedule
from nocturna.tasks.results.layout import layout_of
from tests.flows.leftovers import nothing_left
from tests.flows.serving import Serving, call, write_job

pytestmark = pytest.mark.slow

AUTH = "operator:a-password-of-the-standing-server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The connection URL of an empty database in a cluster of its own."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs Postgres: initdb and pg_ctl on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="nocturna-postgres-"))
    user = "postgres" if os.getuid() == 0 else None  # Postgres refuses to run as root
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, port = folder / "data", free_port()

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "--username=prefect", "--auth=trust", "-D", str(data))
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    run("pg_ctl", "start", "-w", "-D", str(data), "-o", options, "-l", str(folder / "log"))
    yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
    run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(data))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def standing(postgres, tmp_path_factory) -> Iterator[str]:
    """The API of a Prefect server on Postgres that asks for a password."""
    home, port = tmp_path_factory.mktemp("standing"), free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres,
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_API_AUTH_STRING": AUTH,
        "PREFECT_API_URL": url,
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "said.txt").open("wb") as said:
        server = subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        until = time.monotonic() + 180
        while True:
            try:
                if call(url, "admin/version", AUTH)[0] == 200:
                    break
            except OSError:
                pass
            assert server.poll() is None and time.monotonic() < until, (
                home / "said.txt"
            ).read_text()
            time.sleep(0.5)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_standing_server_shows_the_nights_of_the_clock(standing, small_models, tmp_path):
    job = write_job(tmp_path, "prensa", small_models["sentiment"])
    arguments = (job, "--cron", "* * * * *", "--timezone", "Europe/Madrid", "--api", standing)

    wrong = Serving(tmp_path, *arguments, PREFECT_API_AUTH_STRING="operator:a-guess")
    assert wrong.process.wait(120) == 2
    assert "the server refused the credentials" in wrong.said and "Traceback" not in wrong.said

    serving = Serving(tmp_path, *arguments, PREFECT_API_AUTH_STRING=AUTH)
    try:
        serving.line(r"prensa: runs next at .* CES?T")
        asked = {"deployments": {"name": {"any_": ["prensa"]}}}
        _, (deployed,) = call(standing, "deployments/filter", AUTH, asked)
        assert [kept["active"] for kept in deployed["schedules"]] == [False]
        layout = layout_of(tmp_path / "out", "prensa")
        serving.wait_for(layout.results.exists, 240)
        serving.line("published snapshot 1")

        ended = {**asked, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        (run, *_) = serving.wait_for(lambda: call(standing, "flow_runs/filter", AUTH, ended)[1])
        date = datetime.fromisoformat(run["expected_start_time"]).astimezone(UTC)
        assert (date.second, date.microsecond) == (0, 0)
        assert date in make_schedule("* * * * *", "UTC").next(date - timedelta(minutes=2), 2)
        assert serving.end() == 143
        waiting = {**asked, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        assert call(standing, "flow_runs/filter", AUTH, waiting) == (200, []), "nobody runs them"
    finally:
        serving.kill()
    assert nothing_left(Path(serving.home))
    assert AUTH not in serving.said
