"""Nocturna scores text corpora night after night into Parquet that analysts can trust.

What runs: flows that read like the sentence that describes them, and the command. A program that
uses Nocturna needs the few names below; each imports what it needs when it is called.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import nocturna.tasks.settings as _settings  # noqa: F401  before any flow imports the engine

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from nocturna.tasks.job.job import Job
    from nocturna.tasks.results.report import Summary

__all__ = ["read_corpus", "read_job", "read_results", "read_runs", "score_job"]


def read_job(path: str | Path) -> "Job":
    """The job that a YAML file describes.

    Raises:
        NocturnaError: the file is not there or describes no job; one line.
    """
    from nocturna.tasks.job.job_file import make_job, read_job_values

    return make_job(read_job_values(Path(path)), str(path))


def score_job(job: "Job") -> "Summary":
    """Scores a job's corpus and publishes the results, as the command `nocturna score` does.

    Raises:
        NocturnaError: one line that says what is wrong; what was published stays as it was.
    """
    from nocturna.observer import observer_for
    from nocturna.score import score_observed
    from nocturna.tasks.run.soundness import check_job
    from nocturna.terminal import say

    check_job(job)
    return score_observed(job, observer_for(say))


def read_corpus(
    path: str | Path | Sequence[str | Path], **source: Any
) -> "datasets.IterableDataset":
    """The rows of a corpus as a night reads them, as a data set of the library `datasets`.

    A row that could not be read is among them, with an error code and no id.

    Args:
        path: file, folder, glob or URI, or several of them.
        source: what a job says of its source, such as `text`, `id` and `keep`.

    Raises:
        NocturnaError: the corpus cannot be read; one line.
    """
    from nocturna.tasks.corpus.dataset_builder import CorpusBuilder
    from nocturna.tasks.job.source import Source

    paths = [path] if isinstance(path, str | Path) else path
    told = Source(path=tuple(map(str, paths)), **source)
    return CorpusBuilder(source=told).as_streaming_dataset("train")


@overload
def read_results(
    out: str | Path,
    columns: Sequence[str] | None = None,
    *,
    at: int | str | date | None = None,
    as_: Literal["pandas"] = "pandas",
) -> "pd.DataFrame": ...
@overload
def read_results(
    out: str | Path,
    columns: Sequence[str] | None = None,
    *,
    at: int | str | date | None = None,
    as_: Literal["polars"],
) -> "pl.DataFrame": ...
@overload
def read_results(
    out: str | Path,
    columns: Sequence[str] | None = None,
    *,
    at: int | str | date | None = None,
    as_: Literal["arrow"],
) -> "pa.Table": ...
def read_results(
    out: str | Path,
    columns: Sequence[str] | None = None,
    *,
    at: int | str | date | None = None,
    as_: str = "pandas",
) -> Any:
    """The published rows of a job, one a document, as they are now or were then.

    Args:
        out: output folder of the job, e.g. `out/prensa` or `s3://cubo/out/prensa`.
        columns: those that are wanted; all of them where none are named.
        at: an earlier snapshot, as long as retention keeps it: its number, the id of the run that
            published it, or a date: the last one published by the end of that day, UTC.
        as_: `pandas`, `polars` (to be installed beside Nocturna) or `arrow`.

    Raises:
        NocturnaError: nothing is published there, or not at that time; one line that says what is
            kept.
    """
    from nocturna.tasks.reading.loading import load_results

    return load_results(out, columns, at, as_)


@overload
def read_runs(out: str | Path, *, as_: Literal["pandas"] = "pandas") -> "pd.DataFrame": ...
@overload
def read_runs(out: str | Path, *, as_: Literal["polars"]) -> "pl.DataFrame": ...
@overload
def read_runs(out: str | Path, *, as_: Literal["arrow"]) -> "pa.Table": ...
def read_runs(out: str | Path, *, as_: str = "pandas") -> Any:
    """What the runs of a job did and became, one a row, the newest first.

    Counts and times have columns of their own; models, inputs and settings are JSON.

    Args:
        out: output folder of the job, e.g. `out/prensa` or `s3://cubo/out/prensa`.
        as_: `pandas`, `polars` or `arrow`.

    Raises:
        NocturnaError: it is no output folder of a job; one line.
    """
    from nocturna.tasks.reading.loading import load_runs

    return load_runs(out, as_)
