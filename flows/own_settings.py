"""Settings of the engine that are the user's own: where they are broken, the night goes on without.

The engine's library reads them while it is imported, and cannot be imported where it cannot.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from nocturna.tasks.settings import DEFAULTS

_READ_BY_US = {"PREFECT_HOME", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"}
_TRY = "from prefect import flow, settings; settings.get_current_settings()"
_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
_VALUES = re.compile(r"\s*\[type=.*")
"""What was given, which may be a secret."""
_FILES = ("prefect.toml", "pyproject.toml", ".env")


def settings_problem() -> str | None:
    """Makes sure that the engine's library can be imported; what is given is looked at, if any.

    Returns:
        None, or why the user's settings cannot be read; they are set aside for this process then.
    """
    if "prefect" in sys.modules:
        return None
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser().absolute()
    if not _is_usable(home):
        if not os.environ.get("PREFECT_API_URL"):
            _set_aside()
            return f"the engine's settings cannot be read (nor written: {home})"
        os.environ["PREFECT_HOME"] = _empty_folder()
    if not _are_given():
        return None
    tried = subprocess.run(
        [sys.executable, "-W", "ignore", "-P", "-c", _TRY],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode == 0:
        return None
    _set_aside()
    return f"the engine's settings cannot be read ({_reason(tried.stdout + tried.stderr)})"


def _is_usable(home: Path) -> bool:
    """Whether the engine's folder is one, or can become one."""
    there = next(path for path in (home, *home.parents) if os.path.lexists(path))
    return there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)


def _are_given() -> bool:
    own = {name for name in os.environ if name.startswith("PREFECT_")} - _READ_BY_US
    if any(os.environ[name] != DEFAULTS.get(name) for name in own):
        return True
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    return (home / "profiles.toml").exists() or any(map(_may_hold_settings, _FILES))


def _may_hold_settings(name: str) -> bool:
    """Whether a file of this folder speaks of the engine, or cannot be read as what it is."""
    try:
        said = Path(name).read_bytes()
        if name.endswith(".toml"):
            tomllib.loads(said.decode())
    except (OSError, ValueError):
        return Path(name).exists()
    return name == "prefect.toml" or b"prefect" in said.lower()


def _reason(said: str) -> str:
    """The error at the end of a traceback, in a line."""
    lines = said.splitlines()
    start = next((i for i in reversed(range(len(lines))) if _ERROR.match(lines[i])), 0)
    told = [line.strip() for line in lines[start : start + 4] if line.strip()]
    return _VALUES.sub("", " ".join(told))[:200].strip() or "the library ended without a word"


def _empty_folder() -> str:
    empty = tempfile.mkdtemp(prefix="nocturna-engine-")
    atexit.register(shutil.rmtree, empty, ignore_errors=True)
    return empty


def _set_aside() -> None:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    empty = _empty_folder()
    os.environ |= {name: value for name, value in DEFAULTS.items() if name.startswith("PREFECT_")}
    os.environ |= {"PREFECT_HOME": empty, "PREFECT_PROFILES_PATH": f"{empty}/profiles.toml"}
    here = Path.cwd()
    os.chdir(empty)  # the library looks for files of settings where it is
    try:
        from prefect.settings import sources
    finally:
        os.chdir(here)
    # which looks there again whenever a setting is changed for a while
    sources.TomlConfigSettingsSourceBase._read_file = lambda self, path: {}  # type: ignore[method-assign]
