"""What the commands share: options that several have, the job that options describe, the end."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.errors import UsageError

if TYPE_CHECKING:
    from tasks.job import Job
    from tasks.results.report import Summary

OutDir = Annotated[Path, typer.Option("--out", help="Folder of the output folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def new_app() -> typer.Typer:
    """The one command of a file."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def show_summary(summary: "Summary", as_json: bool) -> None:
    """What a run ended with, for a person or a script."""
    from flows.summary import print_summary
    from tasks.results.report import as_dict

    if as_json:
        print(json.dumps(as_dict(summary), ensure_ascii=False))
    else:
        print_summary(summary)


def described_job(source: str | None, job: Path | None, options: dict[str, Any]) -> "Job":
    """The job that a file, options or both describe; options win.

    Raises:
        UsageError: naming each key that is missing, unknown or wrong.
    """
    from flows.options import job_values, merged
    from tasks.job_file import job_name_of, make_job, read_job_values

    given = job_values(options)
    if source is not None:
        given = merged(given, {"source": {"path": source}})
    if job is not None:
        values, where = merged(read_job_values(job), given), str(job)
    else:
        values, where = given, "nocturna score"
        origin = values.get("source", {}).get("path") or values.get("source", {}).get("dataset")
        if origin is None:
            raise UsageError("nocturna score: name a corpus (a file, folder, glob or URI) or --job")
        values.setdefault("name", job_name_of(origin))
    return make_job(values, where)
