"""Settings of the engine and the libraries; imported before any of them, it only sets defaults.

Whoever runs Nocturna may set each of them otherwise in the environment; an empty value is none.
"""

import os
import sys
from pathlib import Path

DEFAULTS = {
    # Nothing leaves the machine unless asked.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # The user sees our lines, not the engine's; errors reach the user as exceptions.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # What a run waits for its own engine to start, after which it goes on unrecorded.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "10",
    # The engine's library for tasks in the background checks its own types while it is imported.
    "PY_KEY_VALUE_DISABLE_BEARTYPE": "1",
    # Batches are our own threads' work; the Rust tokenizer keeps to them.
    "TOKENIZERS_PARALLELISM": "true",
    # A thread of torch that waits for another sleeps: beside other programs, spinning costs both.
    "OMP_WAIT_POLICY": "PASSIVE",
}

# OpenVINO imports this package if it can, which then posts statistics, leaves an id in HOME and
# forks the process while its threads run.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

for name, value in DEFAULTS.items():
    os.environ[name] = os.environ.get(name) or value

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _keep_from_proxies() -> None:
    """What is on this machine, as the engine is with its password, is asked without a proxy."""
    if not any(os.environ.get(name) for name in _PROXIES):
        return
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in ("127.0.0.1", "localhost") if host not in hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)


_keep_from_proxies()


def cache_folder() -> Path:
    """Where converted models are kept: `NOCTURNA_CACHE`, or a folder of the user's cache."""
    named = os.environ.get("NOCTURNA_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "nocturna"
