"""`nocturna serve`: the clock starts the nights, the engine shows them, nobody else gets in."""

import os
import re
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from nocturna.schedule import make_schedule
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from tests.flows.leftovers import left, nothing_left
from tests.flows.serving import call, runs_of, write_job
from tests.models import TEXTS

EVERY_MINUTE = ("--cron", "* * * * *", "--timezone", "Europe/Madrid")


def test_schedule_fires_and_serve_escalation(serve, small_models, tmp_path):
    """One `serve` for all that needs a clock and an engine; it takes two to three minutes."""
    for name in ("flows", "tasks"):  # as every project of the engine's has them
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('the user's own {name}')")
    files = [
        write_job(tmp_path, "prensa", small_models["sentiment"]),
        write_job(tmp_path, "rota", small_models["sentiment"], corpus="nowhere.jsonl"),
    ]
    serving = serve(files[0], "--job", files[1], *EVERY_MINUTE)
    url, auth = serving.line(r"engine at (\S+), its page at \S+, password (\S+)").groups()

    # It says when the jobs run next, and the engine shows just these dates.
    schedule = make_schedule("* * * * *", "Europe/Madrid")
    said = re.findall(r"(prensa|rota): runs next at (.* CES?T) \(Europe/Madrid\)", serving.said)
    assert {name for name, _ in said} == {"prensa", "rota"}
    shown = [
        datetime.fromisoformat(run["expected_start_time"])
        for run in runs_of(url, auth, "prensa", "SCHEDULED")
    ]
    assert len(shown) >= 3
    assert shown == schedule.next(shown[0] - timedelta(minutes=1), len(shown))
    _, (deployed,) = call(
        url, "deployments/filter", auth, {"deployments": {"name": {"any_": ["prensa"]}}}
    )
    (shows,) = deployed["schedules"]
    assert shows["active"] and not deployed["paused"]
    wanted = {"cron": "* * * * *", "timezone": "Europe/Madrid"}
    assert shows["schedule"] | wanted == shows["schedule"]

    # Closed to the other users of the machine.
    assert url.startswith("http://127.0.0.1:")
    for path in ("deployments/filter", "flow_runs/filter", "variables/filter", "admin/settings",
                 "block_documents/filter", "logs/filter", "openapi.json", "docs"):  # fmt: skip
        body = {} if path.endswith("filter") else None
        assert call(url, path, None, body)[0] in {401, 403}, path
        assert call(url, path, "nocturna:guess", body)[0] in {401, 403}, path
    secret = auth.partition(":")[2].encode()
    for pid in left(tmp_path / "home"):
        assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes()
    own = [tmp_path / "home", tmp_path / "out" / ".serve"]
    for path in [path for folder in own for path in (folder, *folder.rglob("*"))]:
        assert path.stat().st_mode & 0o077 == 0, path

    # The clock starts a night, and what it published is whole.
    layout = layout_of(tmp_path / "out", "prensa")
    serving.wait_for(layout.results.exists, 240)
    assert len(pd.read_parquet(layout.results)) == len(TEXTS)
    serving.line("prensa: published snapshot 1, ")

    # A night that is due while another run holds the folder is refused with a line.
    before = len(serving.said)
    with hold_lock(layout, "20260101T020000-0badcafe"):
        serving.wait_for(lambda: "prensa: not started" in serving.said[before:])
    assert "20260101T020000-0badcafe holds this folder" in serving.said
    serving.wait_for(lambda: runs_of(url, auth, "prensa", "CANCELLED"))

    # A job that fails is told, and costs the other one nothing.
    assert re.search(r"rota: .*nowhere.jsonl", serving.said)
    serving.wait_for(lambda: runs_of(url, auth, "rota", "FAILED"))
    assert not (tmp_path / "out" / "rota" / "results").exists()

    # SIGTERM ends it in time, with nothing left, and its log tells the whole story.
    start = time.monotonic()
    assert serving.end(signal.SIGTERM, seconds=30) == 143
    assert nothing_left(tmp_path / "home", 5), f"after {time.monotonic() - start:.0f} s"
    log = (tmp_path / "out" / ".serve" / "prensa.log").read_text(encoding="utf-8")
    said = serving.said[serving.said.index("nocturna: serving") :]
    lines = sorted(re.sub(r", password \S+", "", line) for line in said.splitlines())
    kept = [line.partition(" ")[2] for line in log.splitlines()]
    assert sorted(line for line in kept if not line.startswith("engine: ")) == lines
    assert secret.decode() not in log
    assert "Traceback" not in serving.said


@pytest.mark.parametrize("seconds", [0.3, 4.0])
def test_a_kill_at_the_start_leaves_no_process(serve, small_models, tmp_path, seconds):
    serving = serve(write_job(tmp_path, "prensa", small_models["sentiment"]), *EVERY_MINUTE)
    time.sleep(seconds)
    serving.kill()
    assert nothing_left(tmp_path / "home", 5)


def test_ctrl_c_at_the_start_is_130_without_a_traceback(serve, small_models, tmp_path):
    serving = serve(write_job(tmp_path, "prensa", small_models["sentiment"]), *EVERY_MINUTE)
    serving.line("serving prensa")
    os.killpg(serving.process.pid, signal.SIGINT)
    assert serving.process.wait(30) == 130
    assert nothing_left(tmp_path / "home", 5)
    assert "Traceback" not in serving.said
