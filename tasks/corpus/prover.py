"""Files read in another process first, which may die of them.

A corrupt Arrow file can end the process that reads it, and so can a workbook with a cell in its
last corner, for want of memory. The other process lives as long as this one and reads one file
after the other; where it dies of a file, that file is not read here.
"""

import json
import subprocess
import sys
from threading import Lock

SHEET_BYTES = 2 << 30
"""Most memory that the cells of a sheet may take, empty ones between others included."""

_ARROW = """
import json, sys
import pyarrow as pa

for line in sys.stdin:
    try:
        with pa.OSFile(json.loads(line)[0].encode("utf-8", "surrogateescape")) as file:
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

_SHEETS = f"""
import json, resource, sys
from python_calamine import CalamineError, CalamineWorkbook

resource.setrlimit(resource.RLIMIT_AS, ({SHEET_BYTES}, {SHEET_BYTES}))
for line in sys.stdin:
    path, sheet = json.loads(line)
    said = ""
    try:
        with open(path.encode("utf-8", "surrogateescape"), "rb") as file:
            book = CalamineWorkbook.from_filelike(file)
        for name in book.sheet_names if sheet is None else [sheet]:
            rows = book.get_sheet_by_name(name).iter_rows()
            if any(cell != "" for row in rows for cell in row):
                break
    except MemoryError:
        said = "it takes too much memory"
    except Exception:
        pass  # the reader says what is wrong
    print(said, flush=True)
"""


class _Prover:
    """Another process, which is given a file to read in each line."""

    def __init__(self, code: str) -> None:
        self._lock, self._code = Lock(), code
        self._child: subprocess.Popen[str] | None = None

    def flaw_of(self, *given: str | None) -> str | None:
        with self._lock:
            child = self._alive()
            assert child.stdin and child.stdout
            try:
                child.stdin.write(json.dumps(given) + "\n")
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
                [sys.executable, "-I", "-c", self._code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="surrogateescape",
            )
        return self._child


_arrow, _sheets = _Prover(_ARROW), _Prover(_SHEETS)


def flaw_of(path: str) -> str | None:
    """What is wrong with a local Arrow file or stream, in words; None if it can be read.

    Every value of it is looked at.
    """
    return _arrow.flaw_of(path)


def fits_in_memory(path: str, sheet: str | None) -> bool:
    """Whether a sheet of a local workbook, or its first one with rows, takes no more than that."""
    return _sheets.flaw_of(path, sheet) is None
