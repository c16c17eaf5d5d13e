"""Who reads an object store: fsspec's own driver, or the client that puts results there."""

from functools import cache
from importlib.util import find_spec

STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")
"""What the client reads where fsspec's driver is missing."""


@cache
def read_by_client(scheme: str) -> bool:
    """Whether the client stands in for a driver of fsspec that is missing."""
    import fsspec

    if scheme not in STORES:
        return False
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError):  # no driver, or a scheme that fsspec does not know
        if find_spec("obstore") is None:
            return False
        from obstore.fsspec import register

        register(scheme)
        return True
    return False
