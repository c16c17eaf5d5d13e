"""Published rows and runs as tables of pandas, Polars or Arrow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.runs_table import runs_table
from nocturna.tasks.reading.views import At, job_folder, view_of

LIBRARIES = ("pandas", "polars", "arrow")


def load_results(
    out: str | Path, columns: Sequence[str] | None = None, at: At = None, as_: str = "pandas"
) -> Any:
    """The published rows of a job; see `nocturna.read_results`."""
    check_library(as_)
    view = view_of(out, at)
    names = view.schema.names
    odd = next((column for column in columns or () if column not in names), None)
    if odd is not None:
        raise UsageError(f"{out}: no column {odd!r}; there are {', '.join(names)}")
    wanted = None if columns is None else list(columns)
    # one file after the other: given a list, Arrow would look for keys in the folders' names
    tables = [pq.read_table(part, columns=wanted, partitioning=None) for part in view.parts]
    return as_library(pa.concat_tables(tables), as_)


def load_runs(out: str | Path, as_: str = "pandas") -> Any:
    """The runs of a job, one a row; see `nocturna.read_runs`."""
    check_library(as_)
    return as_library(runs_table(job_folder(out)), as_)


def check_library(as_: str) -> None:
    """Refuses a library that rows cannot be given as."""
    if as_ not in LIBRARIES:
        raise UsageError(f"as_={as_!r}: give one of {', '.join(LIBRARIES)}")


def as_library(table: pa.Table, as_: str) -> Any:
    """An Arrow table as a data frame of the library.

    Raises:
        UsageError: Polars is not installed.
    """
    if as_ == "arrow":
        return table
    if as_ == "pandas":
        return table.to_pandas()
    try:
        import polars
    except ModuleNotFoundError:
        raise UsageError("as_='polars': Polars is not installed; pip install polars") from None
    return polars.from_arrow(table)
