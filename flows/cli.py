"""The `nocturna` command. Heavy imports wait until a command needs them."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import job_values, merged, with_job_options
from tasks.errors import NocturnaError, UsageError
from tasks.job import Job
from tasks.job_file import job_name_of, make_job, read_job_values
from tasks.sections.base import split_list

if TYPE_CHECKING:
    from tasks.results.report import Summary

app = typer.Typer(
    name="nocturna",
    help="Scores large text corpora: sentiment, zero-shot topics and summaries, into Parquet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
JobFile = Annotated[Path | None, typer.Option("--job", help="A job file (YAML).")]
OutDir = Annotated[Path, typer.Option("--out", help="Folder of the output folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def main() -> None:
    """Runs the command; a failure is one line on standard error and an exit code."""
    try:
        app()
    except NocturnaError as error:
        print(f"nocturna: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("NOCTURNA_DEBUG"):
            raise
        line = (str(error).strip() or "no message").splitlines()[0]
        print(
            f"nocturna: unexpected {type(error).__name__}: {line} "
            "(NOCTURNA_DEBUG=1 shows where; please report it)",
            file=sys.stderr,
        )
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from tasks.steps.run import code_version

        print(f"nocturna {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Scores large text corpora: sentiment, zero-shot topics and summaries, into Parquet."""


@app.command()
@with_job_options
def score(
    source: Annotated[
        str | None, typer.Argument(help="File, folder, glob or URI of the corpus.")
    ] = None,
    job: JobFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do and to pay; do nothing.")
    ] = False,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Score a corpus now, described by a job file, by options, or by both (options win)."""
    described = _job(source, job, options)
    if dry_run:
        from flows.preview import preview

        lines, values = preview(described)
        print(json.dumps(values) if as_json else "\n".join(lines))
        return
    from flows.engine import let_engine_settle
    from flows.score import score_corpus

    summary = score_corpus(described)
    let_engine_settle()
    _show(summary, as_json)


@app.command()
def jobs(
    files: Annotated[list[Path], typer.Argument(help="Job files, or folders of them.")],
    as_json: AsJson = False,
) -> None:
    """List job files and say which of them are valid."""
    from flows.summary import print_jobs

    found = [_check(path) for path in _job_files(files)]
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print_jobs(found)
    if any(entry["error"] for entry in found):
        raise typer.Exit(2)


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="Only the runs of this job.")] = None,
    out: OutDir = Path("out"),
    as_json: AsJson = False,
) -> None:
    """List what ran, when, and what became of it."""
    from flows.summary import print_runs
    from tasks.results.layout import layout_of
    from tasks.results.manifest import list_runs

    if not out.is_dir():
        raise UsageError(f"--out {out}: no such folder; runs are listed from an output folder")
    names = [name] if name else sorted(p.name for p in out.iterdir() if (p / "runs").is_dir())
    if name and not (out / name / "runs").is_dir():
        raise UsageError(f"{out / name}: no runs of a job {name!r} here")
    found = [run for job_name in names for run in list_runs(layout_of(out, job_name))]
    if as_json:
        print(json.dumps([asdict(run) for run in found], ensure_ascii=False, default=str))
    else:
        print_runs(found)


@app.command()
def publish(
    run: Annotated[str, typer.Argument(help="A run that a quality gate refused.")],
    accept: Annotated[str, typer.Option(help="Why it is published; kept with the run.")],
    out: OutDir = Path("out"),
    as_json: AsJson = False,
) -> None:
    """Publish a run that a quality gate refused, and keep the reason."""
    from tasks.results.layout import layout_of
    from tasks.results.lock import hold_lock
    from tasks.results.recovery import recover
    from tasks.steps.publishing import accept_run

    layouts = [layout_of(out, folder.name) for folder in sorted(out.glob("*/"))]
    layout = next((found for found in layouts if found.manifest(run).exists()), None)
    if layout is None:
        raise UsageError(f"--out {out}: no run {run!r} here; `nocturna runs` lists them")
    with hold_lock(layout, run):
        recover(layout)
        summary = accept_run(layout, run, accept)
    _show(summary, as_json)


@app.command()
def columns(
    out: Annotated[Path, typer.Argument(help="Output folder of a job, e.g. out/prensa.")],
    as_json: AsJson = False,
) -> None:
    """Explain the columns of published results."""
    from flows.summary import print_columns
    from tasks.results.dictionary import data_dictionary

    notes = data_dictionary(out)
    if as_json:
        print(json.dumps([asdict(note) for note in notes], ensure_ascii=False))
    else:
        print_columns(notes)


@app.command()
def evaluate(
    file: Annotated[str, typer.Argument(help="Labelled file: anything that a job could read.")],
    task: Annotated[str, typer.Option(help="What is scored: sentiment or topic.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    gold: Annotated[str, typer.Option(help="Column of the gold label.")] = "label",
    model: Annotated[
        str | None, typer.Option(help="Hub name or local folder; the bundled model if none.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Candidate labels of the topic task, separated by commas.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option("--map", help="gold=label,...: names of gold labels; gold= leaves one out."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="nli or embedding, for topics.")] = None,
    template: Annotated[str | None, typer.Option(help="Hypothesis with {} for the label.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a labelled file and say how good the model is: accuracy, macro-F1, calibration."""
    from tasks.evaluation.file import evaluate_file
    from tasks.evaluation.gold import parse_map

    if task not in ("sentiment", "topic"):
        raise UsageError(f"--task {task}: give sentiment or topic")
    chosen = {"method": method, "template": template}
    found = evaluate_file(
        file,
        "sentiment" if task == "sentiment" else "topic",
        text=text,
        gold=gold,
        model=model,
        labels=split_list(labels or ""),
        names=parse_map(mapping),
        options={"zero_shot": {k: v for k, v in chosen.items() if v}}
        if any(chosen.values())
        else {},
    )
    print(json.dumps(found.as_dict(), ensure_ascii=False) if as_json else found.as_text())


@app.command()
def serve(
    files: Annotated[list[Path], typer.Argument(help="Job files to run on the schedule.")],
    cron: Annotated[str, typer.Option(help="When, as five cron fields.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = "UTC",
    api: Annotated[
        str | None, typer.Option(help="URL of a standing Prefect server; without it, an own one.")
    ] = None,
) -> None:
    """Run jobs every night until stopped; a run still going is never overlapped."""
    described = [_job(None, path, {}) for path in files]
    from flows.nightly import serve_jobs

    serve_jobs(described, cron, timezone, api)


def _show(summary: "Summary", as_json: bool) -> None:
    from flows.summary import print_summary
    from tasks.results.report import as_dict

    if as_json:
        print(json.dumps(as_dict(summary), ensure_ascii=False))
    else:
        print_summary(summary)


def _job(source: str | None, job: Path | None, options: dict[str, Any]) -> Job:
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


def _job_files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such job file or folder")
        found += sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    if not found:
        raise UsageError(f"{paths[0]}: holds no job files (*.yaml)")
    return found


def _check(path: Path) -> dict[str, Any]:
    try:
        job = make_job(read_job_values(path), str(path))
    except UsageError as error:
        return {"file": str(path), "name": None, "job": None, "error": str(error)}
    return {"file": str(path), "name": job.name, "job": job.model_dump(mode="json"), "error": None}
