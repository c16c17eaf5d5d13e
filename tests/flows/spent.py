"""Commands in processes of their own: what they said, the CPU they took, what they imported."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HEAVY = frozenset(
    {"datasets", "deltalake", "duckdb", "fsspec", "gcsfs", "google.genai", "numpy", "openvino"}
    | {"pandas", "prefect", "pyarrow", "s3fs", "torch", "transformers"}
)
"""Packages that cost time to import and that nothing needs to see what is wrong with a job."""

_RUN = """
import atexit, json, os, sys

def note():
    with open(os.environ["IMPORTED_TO"], "w") as out:
        json.dump(sorted(sys.modules), out)

atexit.register(note)
from nocturna.cli import main
main()
"""


@dataclass(frozen=True)
class Spent:
    """How a command ended.

    Attributes:
        cpu: seconds of all its processes, user and system.
        heavy: which of HEAVY it imported.
    """

    code: int
    out: str
    err: str
    cpu: float
    heavy: frozenset[str]


def command(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> Spent:
    """Runs `nocturna` with arguments to its end, in a folder."""
    with tempfile.NamedTemporaryFile() as imported:
        before = _children()
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *map(str, arguments)],
            check=False,
            cwd=cwd,
            env={**os.environ, **(env or {}), "IMPORTED_TO": imported.name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        cpu = _children() - before
        modules = set(json.loads(imported.read()))
    return Spent(done.returncode, done.stdout, done.stderr, cpu, frozenset(HEAVY & modules))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
