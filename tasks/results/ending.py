"""How runs ended: noted where a run could not note it itself, and looked back at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nocturna.tasks.addresses import without_secrets
from nocturna.tasks.errors import NocturnaError, QualityRefused, RunLocked, Stopped
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import (
    FAILED,
    INTERRUPTED,
    PUBLISHED,
    REFUSED,
    SKIPPED,
    STOPPED,
    Manifest,
    list_runs,
    read_manifest,
    write_manifest,
)

TROUBLE = (FAILED, REFUSED, INTERRUPTED)
"""Ends that a person should look at: nothing was published."""


def status_of(error: BaseException) -> str:
    """The status of a run that ended with an error."""
    if isinstance(error, QualityRefused):
        return REFUSED
    if isinstance(error, Stopped | KeyboardInterrupt):
        return STOPPED
    return SKIPPED if isinstance(error, RunLocked) else FAILED


def cause_of(error: BaseException) -> str:
    """Why a run ended, in one line."""
    if isinstance(error, NocturnaError):
        return " ".join(str(error).split())
    if told := files.said_of_full_disk(error) or files.said_of_path(error):
        return told
    said = without_secrets(str(error)).strip().splitlines()
    return f"unexpected {type(error).__name__}" + (f": {said[0]}" if said else "")


def note_failure(
    layout: Layout,
    run_id: str,
    error: BaseException,
    job: dict[str, Any] | None = None,
    seconds: float = 0.0,
) -> None:
    """Writes into a run's manifest how it ended, where it is not published.

    A run that ended before it was planned gets a manifest that holds nothing else: a night that
    never began is listed like any other.

    Args:
        job: the job without secrets, for a run without a manifest; without it, nothing is noted.
        seconds: wall-clock time of the run.
    """
    now = datetime.now(UTC)
    if layout.manifest(run_id).exists():
        manifest = read_manifest(layout, run_id)
    elif job is not None:
        files.remove_folder(layout.work(run_id))
        began = (now - timedelta(seconds=seconds)).isoformat(timespec="seconds")
        manifest = Manifest(run_id, layout.job_name, FAILED, began, job)
    else:
        return
    if manifest.status == PUBLISHED:
        return
    ended = replace(
        manifest,
        status=status_of(error),
        reason=cause_of(error),
        finished_at=now.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
    )
    write_manifest(layout, ended)


def last_ended(layout: Layout) -> Manifest | None:
    """The newest run that was published, refused, or ended in trouble; None before the first."""
    told = (*TROUBLE, PUBLISHED)
    return next((run for run in reversed(list_runs(layout)) if run.status in told), None)
