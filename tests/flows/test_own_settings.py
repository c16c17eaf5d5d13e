"""Settings of the engine that the user broke, and proxies: the night scores and publishes."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from nocturna import own_settings
from tests.models import TEXTS

CODE = "from nocturna.command import main; main()"


def score(folder: Path, encoder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    rows = [{"id": str(at), "text": text} for at, text in enumerate(TEXTS)]
    (folder / "c.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    model = ("--topic-model", str(encoder), "--method", "embedding", "--labels", "a,b")
    own = {key: v for key, v in os.environ.items() if not key.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-c", CODE, "score", "c.jsonl", "--id", "id", "--no-sentiment", *model],
        cwd=folder,
        env={**own, "PREFECT_HOME": str(folder / "home"), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("setting", "files", "told"),
    [
        pytest.param(
            *({"PREFECT_LOGGING_LEVEL": "BANANA"}, {}, "LoggingSettings"), marks=pytest.mark.slow
        ),
        pytest.param(
            *({"PREFECT_HOME": "/dev/null/home"}, {}, "(nor written: /dev/null/home)"),
            marks=pytest.mark.slow,
        ),
        ({"PREFECT_API_KEY": "s3cr3t", "PREFECT_SERVER_API_PORT": "s3cr3t"}, {}, "valid integer"),
        pytest.param(*({}, {"prefect.toml": "[[broken"}, "prefect.toml"), marks=pytest.mark.slow),
        pytest.param(
            *({"PREFECT_LOGGING_SETTINGS_PATH": "/etc/passwd"}, {}, "cannot be read"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *({}, {"home/profiles.toml": "[[[broken"}, "TOMLDecodeError"), marks=pytest.mark.slow
        ),
        pytest.param(
            *({}, {"pyproject.toml": "[tool.prefect]\nfoo=[[\n"}, "pyproject.toml"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_settings_that_cannot_be_read_cost_no_night(tmp_path, small_models, setting, files, told):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    done = score(tmp_path, small_models["encoder"], **setting)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "out" / "c" / "results")) == len(TEXTS)
    (line,) = [line for line in done.stderr.splitlines() if "unrecorded" in line]
    assert "the engine's settings cannot be read" in line and told in line
    assert "s3cr3t" not in done.stderr + done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "given"),
    [
        ("pyproject.toml", '[project]\nname = "otra"\n', False),
        ("pyproject.toml", "[tool.prefect.logging]\nlevel = 'INFO'\n", True),
        ("pyproject.toml", "[[broken", True),
        ("prefect.toml", "[logging]\nlevel = 'BANANA'\n", True),
        (".env", "CLAVE=1\n", False),
        (".env", "PREFECT_LOGGING_LEVEL=INFO\n", True),
    ],
)
def test_only_files_that_may_hold_settings_are_tried(tmp_path, monkeypatch, name, content, given):
    monkeypatch.chdir(tmp_path)
    assert not own_settings._may_hold_settings(name)
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert own_settings._may_hold_settings(name) == given


@pytest.mark.slow
def test_an_engine_of_our_own_is_not_asked_through_a_proxy(tmp_path, small_models):
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization')}")
            self.send_error(502)

        do_POST = do_CONNECT = do_GET

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = score(tmp_path, small_models["encoder"], http_proxy=url, HTTP_PROXY=url)
        server.shutdown()
    assert done.returncode == 0 and "unrecorded" not in done.stderr
    assert asked == []
