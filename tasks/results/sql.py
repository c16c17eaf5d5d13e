"""DuckDB, set up to stay on this machine and within bounds."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.results.layout import Layout

if TYPE_CHECKING:
    import duckdb

MEMORY, READERS = "512MB", "2GB"
"""What a night may hold, and somebody who asks; more goes to disk."""

THREADS = 8
"""At most. Each holds buffers of its own, and dozens of them would use up a limit by themselves."""


def connect(
    layout: Layout, memory: str = MEMORY, spill: Path | None = None
) -> "duckdb.DuckDBPyConnection":
    """A DuckDB in memory that spills to disk beyond `memory` and never fetches extensions.

    Args:
        spill: folder for what does not fit; the job's own by default, which only a run may write.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(spill or spill_folder(layout)),
        "threads": min(usable_cores(), THREADS),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    database = duckdb.connect(":memory:", config=settings)
    database.execute("SET enable_progress_bar = false")
    return database


def spill_folder(layout: Layout) -> Path:
    """Where DuckDB puts what does not fit into memory."""
    return layout.root / "work" / ".spill"


def quoted(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def texts_list(texts: Iterable[str]) -> str:
    """A list of texts in SQL."""
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def rows_of(paths: Iterable[Path], *more: str) -> str:
    """The rows of Parquet files in SQL; what their folders are called says nothing of them.

    Args:
        more: options of DuckDB's `read_parquet`.
    """
    options = ", ".join(["hive_partitioning = false", *more])
    return f"read_parquet({texts_list(map(str, paths))}, {options})"


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
