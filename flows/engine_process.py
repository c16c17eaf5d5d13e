"""The program of an engine's process; `flows/engine.py` starts it.

Usage: python -P -m nocturna.engine_process LISTENER, the descriptor of a bound socket.

Standard input is a pipe from the process that the engine belongs to: its end is the end of the
engine, watched from the first instruction on, before anything slow is imported. Standard output
is told one line: `ready`, or why there is no engine. Signals that ask to stop are ignored: those
of a service manager reach every process at once, and what a stopped run still has to say is worth
keeping.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from nocturna.garbage import collect_rarely

_END_SECONDS = 3.0
"""What is left of the engine's life once the pipe has ended; it writes down what it holds."""


_KEPT_ALIVE_SECONDS = 60
"""Longer than Prefect's client keeps a connection: one that ends as a call comes fails it."""


def main(listener: int) -> None:
    """Runs an engine until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    collect_rarely()
    told = os.dup(1)
    os.dup2(2, 1)
    server: list[Any] = []
    serving = threading.Thread(target=_serve, args=[listener, told, server], daemon=True)
    serving.start()
    while os.read(0, 4096):
        pass
    if server:
        server[0].should_exit = True
        serving.join(_END_SECONDS)
    os._exit(0)


def _serve(listener: int, told: int, server: list[Any]) -> None:
    try:
        _run(listener, told, server)
    except BaseException as error:
        if not isinstance(error, SystemExit):
            import traceback

            traceback.print_exc()
        _tell(told, _reason(error))
        os._exit(1)


def _run(listener: int, told: int, server: list[Any]) -> None:
    import asyncio
    import socket

    from nocturna.engine_database import ready_database
    from nocturna.engine_records import forget_old_runs

    database = ready_database()
    import uvicorn
    from prefect.server.api.server import create_app

    asyncio.run(_migrate(database))

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _tell(told, "ready")
            self.forgetting = asyncio.create_task(forget_old_runs())

    config = uvicorn.Config(
        create_app(),
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=_KEPT_ALIVE_SECONDS,
    )
    server.append(Server(config))
    asyncio.run(server[0].serve([socket.socket(fileno=listener)]))


async def _migrate(database: str) -> None:
    """Brings the database up to date; one that was copied is."""
    from alembic.util import CommandError
    from prefect.server.database import provide_database_interface

    interface = provide_database_interface()
    try:
        await interface.create_db()
    except CommandError as error:
        raise RuntimeError(f"{database} is of another version of Prefect ({error})") from error
    finally:
        await (await interface.engine()).dispose()


def _reason(error: BaseException) -> str:
    line = " ".join(str(error).split())
    if isinstance(error, SystemExit) or not line:
        return ""
    return line if isinstance(error, RuntimeError) else f"{type(error).__name__}: {line}"


def _tell(told: int, line: str) -> None:
    with suppress(OSError):
        os.write(told, f"{line}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
