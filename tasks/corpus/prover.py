"""Arrow files read in another process first: a corrupt one can end the process that reads it.

The other process lives as long as this one and reads one file after the other; where it dies of a
file, that file is corrupt.
"""

import subprocess
import sys
from threading import Lock

_CODE = """
import sys
import pyarrow as pa

for line in sys.stdin:
    try:
        with pa.OSFile(line[:-1].encode("utf-8", "surrogateescape")) as file:
            start = file.read(6)
            file.seek(0)
            if start == b"ARROW1":
                reader = pa.ipc.open_file(file)
                batches = map(reader.get_batch, range(reader.num_record_batches))
            else:
                batches = pa.ipc.open_stream(file)
            for batch in batches:
                for column in batch.columns:
                    try:
                        column.validate(full=True)
                    except pa.ArrowInvalid as error:
                        if "UTF8" not in str(error):  # such texts are rejects
                            raise
        said = ""
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
    print(said, flush=True)
"""


class _Prover:
    """The other process; there is one of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._child: subprocess.Popen[str] | None = None

    def flaw_of(self, path: str) -> str | None:
        with self._lock:
            child = self._alive()
            assert child.stdin and child.stdout
            try:
                child.stdin.write(f"{path}\n")
                child.stdin.flush()
                said = child.stdout.readline()
            except OSError:
                said = ""
            if not said:
                child.kill()
                child.wait()
                return "reading it ends the process"
            return said.strip() or None

    def _alive(self) -> "subprocess.Popen[str]":
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", _CODE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="surrogateescape",
            )
        return self._child


_prover = _Prover()


def flaw_of(path: str) -> str | None:
    """What is wrong with a local Arrow file or stream, in words; None if it can be read.

    Every value of it is looked at.
    """
    return _prover.flaw_of(path)
