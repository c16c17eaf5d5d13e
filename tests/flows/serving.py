"""`nocturna serve` in a process of its own, and the engine that it keeps."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.models import TEXTS


def write_job(folder: Path, name: str, model: Path, corpus: str | None = None) -> str:
    """A job file with a corpus of its own; gives its name."""
    rows = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    if corpus is None:
        (folder / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    job = {
        "source": {"path": corpus or f"{name}.jsonl"},
        "scores": {"sentiment": {"model": str(model)}},
        "output": {"dir": str(folder / "out")},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(job), encoding="utf-8")
    return f"{name}.yaml"


class Serving:
    """A `nocturna serve` that goes on; what it says is in `said`."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.folder, self.home = folder, folder / "home"
        command = [str(Path(sys.executable).with_name("nocturna")), "serve", *arguments]
        environment = {**os.environ, "PREFECT_HOME": str(self.home), **more}
        with (folder / "said.txt").open("ab") as said:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8")

    def wait_for(self, found: Callable[[], Any], seconds: float = 180) -> Any:
        """What `found` gives as soon as it gives anything; serving must go on meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = found()
            if value:
                return value
            assert self.process.poll() is None, self.said
            time.sleep(0.2)
        raise AssertionError(self.said)

    def line(self, pattern: str, seconds: float = 180) -> re.Match[str]:
        """Waits until it says a line that matches."""
        found = self.wait_for(lambda: re.search(pattern, self.said), seconds)
        assert isinstance(found, re.Match)
        return found

    def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Sends a signal and gives the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def call(url: str, path: str, auth: str | None = None, body: Any = None) -> tuple[int, Any]:
    """The status and the answer of an engine's API."""
    headers = {"Content-Type": "application/json"}
    if auth:
        headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(f"{url}/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None


def runs_of(url: str, auth: str, name: str, *states: str) -> list[dict[str, Any]]:
    """The runs of a served job that the engine shows, in order of their dates."""
    asked = {
        "deployments": {"name": {"any_": [name]}},
        "flow_runs": {"state": {"type": {"any_": list(states)}}} if states else None,
        "sort": "EXPECTED_START_TIME_ASC",
    }
    status, found = call(url, "flow_runs/filter", auth, {k: v for k, v in asked.items() if v})
    assert status == 200
    return found
