"""What docs/operations.md and the Dockerfile say, run as far as that goes on this machine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from nocturna.schedule import make_schedule
from tests.flows.leftovers import nothing_left
from tests.flows.serving import Serving, write_job
from tests.models import TEXTS

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMAND = Path(sys.executable).with_name("nocturna")
PLACE = "/srv/nocturna/.venv/bin/nocturna"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)


def units() -> dict[str, str]:
    """The systemd units by name, with the command of this environment in them."""
    named = {}
    for block in blocks("ini"):
        first, rest = block.split("\n", 1)
        named[first.removeprefix("# ")] = rest.replace(PLACE, str(COMMAND))
    return named


def test_the_systemd_units_are_valid(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    for name, text in units().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert set(units()) == {"nocturna.service", "nocturna-prensa.service", "nocturna-prensa.timer"}
    checked = [str(tmp_path / name) for name in units()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *checked],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert done.returncode == 0 and ours == [], done.stderr


@pytest.mark.parametrize("change", ["2026-03-28 12:00:00", "2026-10-24 12:00:00"])
def test_the_timer_fires_on_the_days_when_clocks_change(change):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    (when,) = re.findall(r"OnCalendar=(.*)", units()["nocturna-prensa.timer"])
    command = ["systemd-analyze", "calendar", f"--base-time={change} UTC", "--iterations=2", when]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    )
    found = re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d UTC", done.stdout)
    days = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in dict.fromkeys(found)]
    schedule = make_schedule("30 3 * * *", "Europe/Madrid")
    assert days == schedule.next(datetime.fromisoformat(change).replace(tzinfo=UTC), len(days))
    assert len(days) == 2


def arguments_of(line: str) -> list[str]:
    words = shlex.split(line)
    return words[words.index("serve") + 1 :]


def test_every_serve_command_that_is_shown_is_one(monkeypatch):
    """The options exist and the schedules are valid; test_serve.py runs the command."""
    from typer.main import get_command

    from nocturna.cli.serve_command import app

    lines = [line for block in blocks("(?:sh|ini)") for line in block.splitlines()]
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    command = json.loads(re.findall(r"^CMD (.*)", docker, re.MULTILINE)[0])
    shown = [line for line in lines if re.search(r"nocturna serve", line)]
    assert len(shown) >= 3
    for arguments in [*map(arguments_of, shown), command[1:]]:
        parsed = get_command(app).make_context("serve", list(arguments)).params
        assert parsed["files"], arguments
        make_schedule(parsed["cron"], parsed["timezone"])
    ours, _ = DOC.split("## What an operator sees")
    for option in set(re.findall(r"`(--[a-z-]+)", ours)) - {"--network", "--time"}:
        flags = {flag for p in get_command(app).params for flag in p.opts} | {"--job"}
        assert option in flags, option


@pytest.mark.slow
def test_the_crontab_line_needs_nothing_of_the_environment(tmp_path, small_models):
    (line,) = [line for line in blocks("cron")[0].splitlines() if line[0].isdigit()]
    minute, hour, *_, command = line.split(" ", 5)
    assert (minute, hour) == ("0", "2")
    place = tmp_path / "srv"
    (place / "jobs").mkdir(parents=True)
    write_job(place / "jobs", "prensa", small_models["sentiment"])
    command = command.replace("/srv/nocturna", str(place)).replace(
        ".venv/bin/nocturna", str(COMMAND)
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "LOGNAME": "x", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=home, env=environment, timeout=240, check=False
    )
    said = (place / "prensa.log").read_text(encoding="utf-8")
    assert done.returncode == 0, said
    assert len(pd.read_parquet(place / "jobs" / "out" / "prensa" / "results")) == len(TEXTS)


@pytest.mark.slow
def test_the_command_of_the_container_serves(tmp_path, small_models):
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    command = json.loads(re.findall(r"^CMD (.*)", docker, re.MULTILINE)[0])
    (settings,) = re.findall(r"^ENV (.*)", docker, re.MULTILINE)
    more = dict(word.split("=", 1) for word in settings.split())
    more = {name: value.replace("/srv/nocturna", str(tmp_path)) for name, value in more.items()}
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)", docker, re.MULTILINE)[0]) == ["nocturna"]
    (tmp_path / "jobs").mkdir()
    write_job(tmp_path / "jobs", "prensa", small_models["sentiment"])
    serving = Serving(tmp_path, *command[1:], **more)
    try:
        said = serving.line(r"prensa: runs next at (\S+ \S+ CES?T)").group(1)
        schedule = make_schedule("0 2 * * *", "Europe/Madrid")
        (due,) = schedule.next(datetime.now(UTC) - timedelta(seconds=60), 1)
        assert said == schedule.local(due)
        assert serving.end() == 143
    finally:
        serving.kill()
    assert nothing_left(tmp_path / "engine")


@pytest.mark.slow
def test_what_the_container_is_built_by_makes_a_command_that_runs(tmp_path):
    """The commands of the Dockerfile, in a copy of what git has and an environment of their own."""
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (image,) = re.findall(r"^FROM python:(\S+)-slim", docker, re.MULTILINE)
    (steps,) = re.findall(r"^RUN (.*)", docker, re.MULTILINE)
    pip, user, folder = (shlex.split(step) for step in steps.split("&&"))
    assert re.search(r"^COPY \. \.$", docker, re.MULTILINE)
    place = tmp_path / "opt"
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    tracked = run(["git", "ls-files", "-z"], ROOT).split("\0")
    for name in (name for name in tracked if name and name.split("/")[0] not in left_out):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")], tmp_path)
    own = str(tmp_path / "venv" / "bin")
    assert pip[0] == "python" and f"{sys.version_info[0]}.{sys.version_info[1]}" >= image
    pip.remove("--no-cache-dir")  # the same wheels, without fetching them anew
    run([f"{own}/python", *pip[1:]], place)
    assert run([f"{own}/nocturna", "--version"], tmp_path).strip()
    corpus = place / "data" / "samples" / "notas.csv"
    home = {"HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "home")}
    score = ["score", str(corpus), "--text", "texto", "--id", "codigo", "--labels", "ley,arte"]
    run([f"{own}/nocturna", *score, "--limit", "20"], tmp_path, **home)
    assert len(pd.read_parquet(tmp_path / "out" / "notas-sample" / "results")) == 20

    if os.getuid() or shutil.which("useradd") is None:
        pytest.skip("needs root, and useradd, for the user of the container")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).touch()
    run([user[0], "--prefix", str(tmp_path), *user[1:]], tmp_path)
    name, _, number, *_ = (tmp_path / "etc" / "passwd").read_text().split(":")
    assert (name, number) == ("nocturna", "1000") and f"USER {name}\n" in docker
    at = tmp_path / folder[-1].lstrip("/")
    at.parent.mkdir(exist_ok=True)
    run([number if word == name else word for word in folder[:-1]] + [str(at)], tmp_path)
    assert at.stat().st_uid == int(number)
    assert f"WORKDIR {folder[-1]}\n" in docker and f"VOLUME {folder[-1]}\n" in docker


def run(command: list[str], folder: Path, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | more,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
