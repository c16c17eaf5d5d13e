"""Another process that holds a place, as another run would."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def holding(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the code, which prints `held` and reads its input to the end.

    It holds the place until its input is closed or it is killed; afterwards it is.
    """
    command = [sys.executable, "-c", code, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
