"""DuckDB, set up to stay on this machine and within bounds."""

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.results.layout import Layout

if TYPE_CHECKING:
    import duckdb


def connect(layout: Layout, memory: str = "2GB") -> "duckdb.DuckDBPyConnection":
    """A DuckDB in memory that spills to disk beyond `memory` and never fetches extensions."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(spill_folder(layout)),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:", config=settings)


def spill_folder(layout: Layout) -> Path:
    """Where DuckDB puts what does not fit into memory."""
    return layout.root / "work" / ".spill"


def quoted(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
