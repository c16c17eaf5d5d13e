"""Nocturna scores text corpora night after night into Parquet that analysts can trust.

What runs: flows that read like the sentence that describes them, and the command. A program that
uses Nocturna needs the few names below; each imports what it needs when it is called.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nocturna.tasks.settings as _settings  # noqa: F401  before any flow imports the engine

if TYPE_CHECKING:
    import datasets
    import pandas as pd

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


def read_corpus(path: str | Path, **source: Any) -> "datasets.IterableDataset":
    """The rows of a corpus as a night reads them, as a data set of the library `datasets`.

    A row that could not be read is among them, with an error code and no id.

    Args:
        path: file, folder, glob or URI.
        source: what a job says of its source, such as `text`, `id` and `keep`.

    Raises:
        NocturnaError: the corpus cannot be read; one line.
    """
    from nocturna.tasks.corpus.dataset_builder import CorpusBuilder
    from nocturna.tasks.job.source import Source

    told = Source(path=str(path), **source)
    return CorpusBuilder(source=told).as_streaming_dataset("train")


def read_results(out: str | Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """The published rows of a job, one a document, as they are at this moment.

    Args:
        out: output folder of the job, e.g. `out/prensa`.
        columns: those that are wanted; all of them where none are named.

    Raises:
        NocturnaError: nothing is published there; one line.
    """
    import pandas as pd

    from nocturna.tasks.errors import UsageError

    results = Path(out).expanduser() / "results"
    if not results.exists():
        raise UsageError(f"{results}: nothing is published here; name the output folder of a job")
    return pd.read_parquet(results, columns=None if columns is None else list(columns))


def read_runs(out: str | Path) -> "pd.DataFrame":
    """What the runs of a job did and became, one a row, the newest first.

    Args:
        out: output folder of the job, e.g. `out/prensa`.
    """
    from dataclasses import asdict

    import pandas as pd

    from nocturna.tasks.results.layout import layout_of
    from nocturna.tasks.results.manifest import list_runs

    folder = Path(out).expanduser().absolute()
    runs = list_runs(layout_of(folder.parent, folder.name))
    return pd.DataFrame([asdict(run) for run in reversed(runs)])
