"""The engine of a run or of `nocturna serve`: a process of its own whose life is tied to ours.

The engine is Prefect's API (and its page, where asked for) on the loopback interface, behind a
password that is made at start and travels by environment only. It is in a session of its own, so
that a signal of the terminal does not reach it, and it ends as soon as a pipe from this process
does: however this process ends, kill -9 at any moment included, nothing is left of it.
"""

import os
import secrets
import select
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

ADDRESS = "127.0.0.1"
STOP_SECONDS = 5.0
"""What the engine may take to write down what it still holds, once it is told to end."""

_KEEP_LOG = 1_000_000
"""Bytes of a log file above which the next start begins it anew."""


@dataclass
class Engine:
    """An engine that was started, or could not be; made by `start_engine`.

    Attributes:
        url: of its API, e.g. `http://127.0.0.1:4711/api`.
        auth: `user:password` of its API and its page; written nowhere.
        log: file that holds what it says.
    """

    url: str
    auth: str
    log: Path
    _process: subprocess.Popen[str] | None = None
    _reason: str | None = None
    _ready: bool = False
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def environment(self) -> dict[str, str]:
        """What the environment of a client has to hold: where the API is, and its password."""
        return {"PREFECT_API_URL": self.url, "PREFECT_API_AUTH_STRING": self.auth}

    def wait(self, seconds: float) -> str | None:
        """Waits until the engine answers, but no longer than so many seconds.

        Returns:
            None once it answers; otherwise why it does not, in words that fit in a line.
        """
        with self._asking:
            if not self._ready and self._reason is None:
                return self._heard(seconds)
            return self._reason

    def alive(self) -> bool:
        """Whether its process runs; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Lets it write down what it still holds, and kills it where that takes longer."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def kill(self) -> None:
        """Ends it at once: whoever still waits for an answer hears that there will be none."""
        if self._process is not None:
            self._process.kill()

    def _heard(self, seconds: float) -> str | None:
        assert self._process is not None and self._process.stdout is not None
        told = self._process.stdout
        if not select.select([told], [], [], max(0.0, seconds))[0]:
            return f"the engine was not ready after {seconds:.0f} s"
        line = told.readline().strip()
        if line == "ready":
            self._ready = True
        else:
            self._reason = line or f"the engine died while it started ({self.log} may say why)"
        return self._reason


def start_engine(
    home: Path,
    log: Path,
    port: int | None = None,
    ui: bool = False,
    services: bool = False,
    auth: str | None = None,
) -> Engine:
    """Starts an engine and returns at once; `wait` says when it answers, or why it never will.

    Args:
        home: folder of its database and settings, made if need be.
        log: file for what it says, readable by its owner only.
        port: of its API; a free one where none is given.
        ui: whether it shows its page too, at the root of the same port.
        services: whether it runs schedules, late runs and cleaning up: what a standing engine
            needs and the engine of a single run does not.
        auth: `user:password`; made up where none is given.
    """
    auth = auth or f"nocturna:{secrets.token_urlsafe(24)}"
    try:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ADDRESS, port or 0))
            url = f"http://{ADDRESS}:{listener.getsockname()[1]}/api"
            environment = _environment(home, url, auth, ui, services)
            process = _start(home, log, listener.fileno(), environment)
    except OSError as error:
        where = error.filename or f"port {port or ''}".strip()
        return Engine("", auth, log, _reason=f"{where}: {error.strerror or error}")
    return Engine(url, auth, log, process)


def engine_home() -> Path:
    """Where an engine of this user keeps its database: `PREFECT_HOME`, or `~/.prefect`."""
    return Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser().absolute()


def _start(
    home: Path, log: Path, listener: int, environment: dict[str, str]
) -> subprocess.Popen[str]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    fresh = os.O_TRUNC if log.exists() and log.stat().st_size > _KEEP_LOG else os.O_APPEND
    said = os.open(log, os.O_WRONLY | os.O_CREAT | fresh, 0o600)
    try:
        os.fchmod(said, 0o600)
        return subprocess.Popen(
            # -P: nothing of the folder that the user stands in is imported.
            [sys.executable, "-P", "-m", f"{__package__}.engine_process", str(listener)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=[listener],
            cwd=home,
            env=environment,
            text=True,
            start_new_session=True,
        )
    finally:
        os.close(said)


def _environment(home: Path, url: str, auth: str, ui: bool, services: bool) -> dict[str, str]:
    needed = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_SERVER_API_HOST": ADDRESS,
        "PREFECT_SERVER_API_PORT": url.rpartition(":")[2].removesuffix("/api"),
        "PREFECT_UI_API_URL": url,
        "PREFECT_SERVER_UI_ENABLED": str(ui).lower(),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # The database is made and brought up to date before the API, and words its own troubles.
        "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": str(ui).lower(),
        "PREFECT__SERVER_FINAL": "1",
    }
    if not services:
        needed |= {
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
        }
    return {**os.environ, **needed}
