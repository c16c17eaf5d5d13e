"""Guards a process and all its children: refuses and notes what leaves the machine, and forks.

Python imports this first where its folder is on PYTHONPATH. A fork that is followed by exec at once
(`subprocess`, `spawn`) is none: it runs nothing of ours in between.
"""

import os
import socket
import sys
import threading

_NOTES = os.environ.get("GUARD_NOTES")
_OWN = ("", "None", "localhost", "::1", "::", "0.0.0.0", socket.gethostname())


def _note(line: str) -> None:
    if _NOTES:
        with open(_NOTES, "a") as out:  # noqa: PTH123  before anything else is imported
            out.write(f"{line} by {' '.join(sys.argv[:2])}\n")


def _guard(event: str, given: tuple) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = given[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = given[1][0] if isinstance(given[1], tuple) else None
    elif event in ("os.fork", "os.forkpty"):
        _note(f"{event} with {threading.active_count()} threads")
        raise RuntimeError("forked")
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host not in _OWN and not host.startswith("127."):
        _note(f"{event} {host}")
        raise ConnectionRefusedError(f"{event} {host}: guarded")


sys.addaudithook(_guard)
_note("guarded")
