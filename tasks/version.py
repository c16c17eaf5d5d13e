"""Which Nocturna this is."""

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def code_version() -> str:
    """Version of Nocturna: the package's, with the commit where it runs from a checkout."""
    checkout = Path(__file__).parents[1]
    released = version("nocturna")
    if not (checkout / ".git").exists():
        return released
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return released
    return f"{released}+{found.stdout.strip()}"
