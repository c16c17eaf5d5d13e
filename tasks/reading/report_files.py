"""The report of a night as two files: a page for people, and its figures for programs."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.page import report_page
from nocturna.tasks.reading.report_figures import report_figures
from nocturna.tasks.reading.target_file import whole_file
from nocturna.tasks.reading.views import job_folder
from nocturna.tasks.results.layout import Layout


def leave_report(layout: Layout, run_id: str) -> Path:
    """Writes the report of a published run into its folder.

    Returns:
        the page.
    """
    return _write(
        report_figures(layout.root, run_id), layout.report(run_id), layout.figures(run_id)
    )


def write_report(out: str | Path, figures: dict[str, Any], folder: Path) -> Path:
    """Writes a report as `<job>-<snapshot>.html` and `.json` into a folder of the reader's.

    Returns:
        the page.

    Raises:
        UsageError: the folder is not there, or is the job's own.
        NocturnaError: it cannot be written.
    """
    if not folder.is_dir():
        raise UsageError(f"--to {folder}: no such folder")
    if folder.resolve().is_relative_to(job_folder(out).root.resolve()):
        raise UsageError(f"--to {folder}: is the job's own folder; name one of yours")
    name = f"{figures['job']}-{figures['snapshot']}"
    return _write(figures, folder / f"{name}.html", folder / f"{name}.json")


def _write(figures: dict[str, Any], page: Path, values: Path) -> Path:
    shown = json.dumps(figures, ensure_ascii=False, indent=1) + "\n"
    content = {values: shown, page: report_page(figures)}
    for path, text in content.items():
        put = partial(Path.write_text, data=text, encoding="utf-8")
        whole_file(path, _holds_texts(figures), put)
    return page


def _holds_texts(figures: dict[str, Any]) -> bool:
    documents = [d for ends in figures["documents"] for d in (*ends["surest"], *ends["least_sure"])]
    return any(document["text"] is not None for document in documents)
