"""The temporary engine of a single run: it must not outlive the run, however that ends."""

import subprocess
import time

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

SETTLE_SECONDS = 1.0
_bound: set[int] = set()


def bind_engine() -> None:
    """Makes the temporary engine end when this process does, also by kill -9.

    The engine is a process of its own that only an orderly exit stops. A shell that waits for the
    end of a pipe from this process notices any exit, and stops the engine then.
    """
    server = SubprocessASGIServer().server_process
    if server is None or server.pid in _bound:
        return
    _bound.add(server.pid)
    subprocess.Popen(
        ["/bin/sh", "-c", f"read _; kill {server.pid} 2>/dev/null"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def let_engine_settle() -> None:
    """Gives a temporary engine time to write its last records."""
    if not PREFECT_API_URL.value():
        time.sleep(SETTLE_SECONDS)
