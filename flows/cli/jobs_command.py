"""`nocturna jobs`: which job files are valid."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from nocturna.cli.given import AsJson, new_app
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import make_job, read_job_values

app = new_app()


@app.command()
def jobs(
    files: Annotated[list[Path], typer.Argument(help="Job files, or folders of them.")],
    as_json: AsJson = False,
) -> None:
    """List job files and say which of them are valid.

    Example: nocturna jobs data/jobs
    """
    found = [_check(path) for path in _job_files(files)]
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        from nocturna.terminal_tables import print_jobs

        print_jobs(found)
    if any(entry["error"] for entry in found):
        raise typer.Exit(2)


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
