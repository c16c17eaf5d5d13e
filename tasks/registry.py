"""Kinds that are a file each: the modules of one of our folders, and those that users bring along.

A user's package names its module in an entry point of the group; nothing else has to change.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from nocturna.tasks.errors import UsageError


@cache
def registered(package: str, group: str) -> dict[str, ModuleType]:
    """Every kind of one sort by its name, ours first.

    Args:
        package: dotted name of the folder that holds ours, a module a kind; names that begin with
            an underscore are no kinds.
        group: entry point group of users' modules, such as `nocturna.heads`; the name of the entry
            point is the name of the kind.

    Raises:
        UsageError: a user's kind has the name of another one, or its module cannot be imported.
    """
    home = import_module(package)
    names = [m.name for m in pkgutil.iter_modules(home.__path__) if not m.name.startswith("_")]
    found = {name: import_module(f"{package}.{name}") for name in names}
    for point in _points().select(group=group):
        if point.name in found:
            raise UsageError(f"entry point {group}: two kinds are named {point.name!r}")
        try:
            found[point.name] = point.load()
        except Exception as error:
            raise UsageError(
                f"entry point {group}: {point.name!r} ({point.value}) cannot be imported: {error}"
            ) from None
    return found


@cache
def _points() -> Any:
    """Those of every package: looking through them all takes longer than all else here."""
    return entry_points()
