"""Every end of a run is noted and told to whoever the job names; a real kill is told next night."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nocturna.cli.given import described_job
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from nocturna.telling import tell_aside
from tests.listeners import silent_server, web_hook
from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")

CANARY = "canary-4417"
BODY = "Este texto no debe salir de aquí"


@pytest.fixture
def job(small_models, tmp_path) -> Path:
    """A job file that tells a web hook everything."""
    described = {
        "name": "prensa",
        "source": {"path": "prensa.jsonl", "id": "id"},
        "scores": {"sentiment": {"model": str(small_models["sentiment"])}},
        "output": {"dir": str(tmp_path / "out")},
        "notify": [
            {"url_env": "NOCTURNA_HOOK", "events": "failure,refusal,recovery,success"},
            {"url_env": "NOCTURNA_SILENT", "events": "refusal"},
        ],
    }
    path = tmp_path / "prensa.yaml"
    path.write_text(json.dumps(described), encoding="utf-8")
    return path


def write_corpus(folder: Path, documents: int, bad: int = 0) -> None:
    rows = [{"id": str(i), "text": f"{BODY} {i}. {TEXTS[i % 5]}"} for i in range(documents)]
    lines = [json.dumps(row) for row in rows] + [BODY] * bad
    (folder / "prensa.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def kill_in_the_middle(job: Path, folder: Path) -> None:
    """Runs the command in a process of its own and kills it while it scores."""
    command = [Path(sys.executable).with_name("nocturna"), "score", "--job", job]
    environment = {**os.environ, "PREFECT_HOME": str(folder / "home")}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        states = [path.read_text() for path in folder.glob("out/prensa/runs/*/manifest.json")]
        if any('"running"' in state for state in states):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def wait_for(happened) -> None:
    until = time.monotonic() + 20
    while not happened() and time.monotonic() < until:
        time.sleep(0.05)


@pytest.mark.slow
def test_people_are_told_how_each_night_ended(nocturna, job, tmp_path, monkeypatch):
    layout = layout_of(tmp_path / "out", "prensa")
    with web_hook() as heard, silent_server() as silent:
        monkeypatch.setenv("NOCTURNA_HOOK", f"http://127.0.0.1:{heard.port}/{CANARY}")
        monkeypatch.setenv("NOCTURNA_SILENT", f"http://127.0.0.1:{silent}/{CANARY}")
        write_corpus(tmp_path, 20)
        assert nocturna("score", "--job", job).code == 0
        (tmp_path / "prensa.jsonl").rename(tmp_path / "away")
        failed = nocturna("score", "--job", job)
        (tmp_path / "away").rename(tmp_path / "prensa.jsonl")
        assert nocturna("score", "--job", job).code == 0
        write_corpus(tmp_path, 20, bad=30)
        refused = nocturna("score", "--job", job)
        with hold_lock(layout, "20260101T020000-0badcafe"):
            assert nocturna("score", "--job", job).code == 75
        write_corpus(tmp_path, 2000)
        kill_in_the_middle(job, tmp_path)
        tell_aside(described_job((), job, {}), NocturnaError("killed (signal 9)"))
        wait_for(lambda: len(heard.requests) == 6)
        write_corpus(tmp_path, 30)
        assert nocturna("score", "--job", job).code == 0

    told = [body for _, body in heard.requests]
    assert [(body["event"], body["outcome"]) for body in told] == [
        ("success", "published"),
        ("failure", "failed"),
        ("recovery", "published again"),
        ("refusal", "refused"),
        ("refusal", "skipped"),
        ("failure", "killed"),
        ("recovery", "published again"),
    ]
    assert told[0]["counts"].items() >= {"read": 20, "scored": 20, "carried": 0}.items()
    assert failed.code in (1, 2)
    assert told[1]["cause"] in failed.err
    assert told[1]["run_id"] in told[2]["cause"]
    assert "30 of 50 rows cannot be read" in told[3]["cause"]
    assert "0badcafe holds this folder" in told[4]["cause"]
    assert told[5]["cause"] == "killed (signal 9)"
    assert told[6]["cause"] == f"run {told[5]['run_id']} before it was killed"
    assert refused.code == 3
    assert sum("NOCTURNA_SILENT: not told" in line for line in refused.err.splitlines()) == 1

    runs = nocturna("runs", "--json").json
    ids = {run["run_id"] for run in runs}
    assert {body["run_id"] for body in told} <= ids
    statuses = [run["status"] for run in runs]
    assert sorted(statuses[:3]) == ["failed", "interrupted", "refused"]
    assert statuses[3:] == ["published", "skipped", "published", "published"]
    assert all(run["since_published"] for run in runs[:3])
    assert runs[0]["started_at"] >= runs[1]["started_at"] >= runs[2]["started_at"]
    listed = nocturna("runs").out
    assert told[1]["cause"] in listed and "30 of 50 rows cannot be read" in listed
    shown = nocturna("runs", "show", told[3]["run_id"][-8:]).out
    assert "refused" in shown and "mend the source" in shown
    story = nocturna("runs", "show", told[0]["run_id"], "--json").json
    assert story["manifest"]["counts"]["scored"] == 20 and story["results"]
    assert nocturna("runs", "show", "nothing").code == 2

    assert BODY not in json.dumps(told, ensure_ascii=False)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if CANARY.encode() in path.read_bytes()]


def test_an_address_that_is_missing_is_said_before_anybody_must_be_told(nocturna, job, tmp_path):
    write_corpus(tmp_path, 3)
    done = nocturna("score", "--job", job, "--json")
    assert done.code == 0
    assert "NOCTURNA_HOOK: the environment has no NOCTURNA_HOOK" in done.err
    assert done.json["counts"]["scored"] == 3
