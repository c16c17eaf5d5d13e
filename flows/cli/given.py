"""What the commands share: options that several have, the job that options describe, the end."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nocturna.tasks.errors import UsageError

if TYPE_CHECKING:
    from nocturna.tasks.job.job import Job
    from nocturna.tasks.results.report import Summary

OutDir = Annotated[str, typer.Option("--out", help="Folder or URI of the output folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def _there(out: str) -> str:
    """Says at once, before anything heavy is imported, that there is no such folder."""
    if "://" not in out and not Path(out).is_dir():
        raise UsageError(f"{out}: nothing is published here; name the output folder of a job")
    return out


Out = Annotated[
    str,
    typer.Argument(
        callback=_there,
        help="Output folder of a job, e.g. out/prensa or s3://cubo/out/prensa.",
    ),
]
At = Annotated[
    str | None,
    typer.Option(help="A snapshot of the past: its number, a run id or a date; else the current."),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead.")]
AsJsonRows = Annotated[bool, typer.Option("--json", help="Print an array of objects instead.")]


def new_app() -> typer.Typer:
    """The one command of a file."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def one_form(given: Mapping[str, object]) -> None:
    """Refuses options that exclude each other, where more than one of them is given."""
    found = [flag for flag, value in given.items() if value]
    if len(found) > 1:
        raise UsageError(f"{' and '.join(found)}: give one of them")


def show_summary(summary: "Summary", as_json: bool) -> None:
    """What a run ended with, for a person or a script, if they still listen: it is published."""
    from nocturna.tasks.results.report import as_dict
    from nocturna.terminal_tables import print_summary

    with suppress(OSError):
        if as_json:
            print(json.dumps(as_dict(summary), ensure_ascii=False))
        else:
            print_summary(summary)
        sys.stdout.flush()


def described_job(
    source: Sequence[str], job: Path | None, options: dict[str, Any], scores: Sequence[str] = ()
) -> "Job":
    """The job that a file, options or both describe; options win.

    Args:
        source: paths of the corpus, where they are given.
        scores: further scores, each as NAME=MODEL or NAME=LABEL,LABEL.

    Raises:
        UsageError: naming each key that is missing, unknown or wrong.
    """
    from nocturna.tasks.job.job_file import make_job

    where = str(job) if job is not None else "nocturna score"
    return make_job(described_values(source, job, options, scores, where), where)


def described_values(
    source: Sequence[str],
    job: Path | None,
    options: dict[str, Any],
    scores: Sequence[str],
    where: str,
) -> dict[str, Any]:
    """The nested values of a job, as in `described_job`; nothing is checked yet.

    Args:
        where: the command, for the line that says that there is no corpus.
    """
    from nocturna.options import job_values, merged, with_scores
    from nocturna.tasks.job.job_file import job_name_of, read_job_values

    given = job_values(options)
    if source:
        given = merged(given, {"source": {"path": list(source)}})
    values: dict[str, Any] = read_job_values(job) if job is not None else {}
    with_scores(values, given, scores)
    values = merged(values, given)
    if job is None:
        origin = source[0] if source else values.get("source", {}).get("dataset")
        if origin is None:
            raise UsageError(f"{where}: name a corpus (a file, folder, glob or URI) or --job")
        if "name" not in values and len({*source}) > 1:
            raise UsageError(f"{where}: a corpus of several paths needs a --name")
        values.setdefault("name", job_name_of(origin))
    return values
