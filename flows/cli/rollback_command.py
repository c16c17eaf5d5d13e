"""`nocturna rollback`: a person takes back what a night published."""

import json
from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer

from nocturna.cli.given import AsJson, new_app
from nocturna.tasks.errors import UsageError

app = new_app()


@app.command()
def rollback(
    job: Annotated[
        str,
        typer.Argument(help="The job's output folder, such as out/prensa or s3://cubo/out/prensa."),
    ],
    to: Annotated[
        int | None,
        typer.Option(min=0, help="Snapshot to show; 0: nothing. By default the one before."),
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Say what can be rolled back to; do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show an earlier snapshot again; the next night goes on from it.

    Example: nocturna rollback out/prensa --to 41
    """
    from nocturna.tasks.results.fetched_results import fetch_earlier
    from nocturna.tasks.results.layout import layout_of, new_run_id, out_and_job
    from nocturna.tasks.results.lock import hold_lock
    from nocturna.tasks.results.log_entries import committed
    from nocturna.tasks.results.recovery import recover
    from nocturna.tasks.results.rollback import earlier_snapshots, roll_back
    from nocturna.terminal import say_warnings

    layout = layout_of(*out_and_job(job))
    if not layout.uri and not (layout.snapshots.is_dir() or layout.log.is_dir()):
        raise UsageError(f"{job}: no output folder of a job; name one, such as out/prensa")
    say_warnings()
    only_looks = only_list and not layout.uri  # here, which may be where nothing can be written
    with nullcontext() if only_looks else hold_lock(layout, new_run_id()):
        if not only_looks:
            recover(layout)
            fetch_earlier(layout, committed(layout))
        if only_list:
            found = earlier_snapshots(layout)
            lines = [f"{s.number}  {s.published_at[:16]}  {s.rows:,} rows" for s in found]
            values = [{**asdict(s), "rows": s.rows} for s in found]
            print(json.dumps(values, default=str) if as_json else "\n".join(lines))
            return
        done = roll_back(layout, to)
    if as_json:
        print(json.dumps({"before": done.before, "to": done.to, "snapshot": done.snapshot.number}))
        return
    rows, number = done.snapshot.rows, done.snapshot.number
    what = f"show snapshot {done.to} again, {rows:,} rows, as snapshot {number}"
    if not done.to:
        what = "are gone: nothing is published, as before the first run"
    print(f"results {what}; what snapshot {done.before} held is not lost before it is pruned")
