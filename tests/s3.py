"""A real S3 server on this machine: moto's, in a process of its own."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

BUCKET = "cubo"
SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "clave",
            "AWS_SECRET_ACCESS_KEY": "secreta",
            "AWS_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> None:
        self._ask("PUT", f"/{name}")

    def open_to(self, requests: float) -> None:
        """Lets in anybody for so many requests, then only keys that exist; there are none."""
        self._ask("POST", "/moto-api/reset-auth", str(requests).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> None:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "text/plain"})
        request.method = method
        with urllib.request.urlopen(request, timeout=10):
            pass


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Starts the server on a free port and makes the bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            server = S3Server(f"http://127.0.0.1:{port}")
            _wait_for(server, process)
            yield server
        finally:
            process.kill()


def _wait_for(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError):
            server.make_bucket(BUCKET)
            return
        time.sleep(0.05)
    raise RuntimeError("the S3 server of the tests did not start")
