"""`nocturna runs`: what ran, and what became of it; `show` one; `clean` what is not needed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nocturna.cli.given import AsJson, OutDir
from nocturna.tasks.errors import UsageError


class _Runs(TyperGroup):
    """Lists where no other word is given, so that `nocturna runs` stays the plain listing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else None
        if first not in (*self.commands, "--help") and not ctx.resilient_parsing:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Runs,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="List what ran and what became of it; those that failed, were refused or killed first."
    "\n\nExample: nocturna runs prensa --out out",
)
JobName = Annotated[str | None, typer.Argument(metavar="[JOB]", help="Only this job's runs.")]


@app.command("list")
def list_command(job: JobName = None, out: OutDir = "out", as_json: AsJson = False) -> None:
    """List the runs; what `nocturna runs` does without another word.

    Example: nocturna runs list prensa
    """
    from nocturna.runs_list import in_order, print_runs

    found = in_order([run for _, run in _runs(out, job)])
    if as_json:
        values = [{**asdict(entry.run), "since_published": entry.over} for entry in found]
        print(json.dumps(values, ensure_ascii=False, default=str))
    else:
        print_runs(found)


@app.command("show")
def show_command(
    run: Annotated[str, typer.Argument(help="A run's id, or a part of it that no other has.")],
    out: OutDir = "out",
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of one run, and how to go on.

    Example: nocturna runs show 20261120T020003-4f2a91cc
    """
    from nocturna.runs_story import print_story
    from nocturna.tasks.results.story import story_of

    layout, run_id = _find(out, run)
    story = story_of(layout, run_id)
    if as_json:
        print(json.dumps(asdict(story), ensure_ascii=False, default=str))
    else:
        print_story(story)


@app.command("clean")
def clean_command(
    job: JobName = None,
    out: OutDir = "out",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Free disk: what is over each job's `retention`; every night does it at its end too.

    Example: nocturna runs clean prensa --dry-run
    """
    from nocturna.cleaning import clean_cache, clean_up, print_cleaned
    from nocturna.tasks.results.layout import home_of

    found = [clean_up(layout, dry_run) for layout in _layouts(out, job, to_write=True)]
    found += [] if job else [clean_cache(home_of(out), dry_run)]
    if as_json:
        print(json.dumps([asdict(entry) for entry in found], ensure_ascii=False, default=str))
    else:
        print_cleaned(found, dry_run)


def _layouts(place: str, job: str | None, to_write: bool = False) -> list[Any]:
    """The output folders of jobs.

    Args:
        to_write: whether they are going to be changed, and not only read: of a store, those of
            this machine alone.
    """
    from nocturna.tasks.results.layout import is_store, layout_of

    if is_store(place):
        from nocturna.tasks.results.fetched_results import fetch_results, jobs_in

        own = [layout_of(place, name) for name in ([job] if job else jobs_in(place))]
        return own if to_write else [fetch_results(str(layout.uri)) for layout in own] + own
    out = Path(place)
    if not out.is_dir():
        raise UsageError(f"--out {out}: no such folder; runs are listed from an output folder")
    if job and not (out / job / "runs").is_dir():
        raise UsageError(f"{out / job}: no runs of a job {job!r} here")
    names = [job] if job else sorted(p.name for p in out.iterdir() if (p / "runs").is_dir())
    return [layout_of(out, name) for name in names]


def _runs(out: str, job: str | None = None) -> list[tuple[Any, Any]]:
    """The runs of jobs, each once, with the output folder that says most of it.

    A run that goes on, or was killed, is known to the machine that it is on; what has ended, to
    the store.
    """
    from nocturna.tasks.results.manifest import RUNNING, list_runs

    found: dict[str, tuple[Any, Any]] = {}
    for layout in _layouts(out, job):
        for run in list_runs(layout):
            if run.run_id not in found or run.status == RUNNING:
                found[run.run_id] = (layout, run)
    return list(found.values())


def _find(out: str, run: str) -> tuple[Any, str]:
    """The output folder and the id of the one run that is meant."""
    found = [(layout, entry.run_id) for layout, entry in _runs(out) if run in entry.run_id]
    exact = [(layout, run_id) for layout, run_id in found if run_id == run]
    if len(exact or found) > 1:
        ids = ", ".join(run_id for _, run_id in found[:3])
        raise UsageError(f"--out {out}: {run!r} may be any of {len(found)} runs, such as {ids}")
    if not found:
        raise UsageError(f"--out {out}: no run {run!r} here; `nocturna runs` lists them")
    return (exact or found)[0]
