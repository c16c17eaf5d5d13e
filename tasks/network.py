"""What the network raises when it fails."""

import importlib
from functools import lru_cache


@lru_cache
def network_errors() -> tuple[type[BaseException], ...]:
    """What stores raise when they fail: OSError, and errors of the HTTP clients beneath them."""
    found: list[type[BaseException]] = [OSError]
    clients = (
        ("aiohttp", "ClientError"),
        ("httpx", "TransportError"),
        ("httpx2", "TransportError"),
    )
    for module, name in clients:
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)
