"""What a job has published in an object store, fetched for readers."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout, number_of
from nocturna.tasks.results.log_entries import (
    Snapshot,
    committed,
    find_snapshot,
    is_stored,
)
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.replica import fetch_snapshot, pull, reading_layout
from nocturna.tasks.results.snapshots import flip

_TRIES = 3
"""A snapshot may leave the store while it is fetched, when a night replaced it a day ago."""


def fetch_results(uri: str) -> Layout:
    """The records and the current snapshot of a job, in a folder on this machine for readers.

    A part that is here already is not fetched again, and old snapshots that the store has no more
    leave the folder.

    Args:
        uri: of the job's output folder, such as `s3://cubo/out/prensa`.

    Raises:
        NocturnaError: the store refuses, does not answer (`Transient`), or has lost a part.
    """
    layout = reading_layout(uri)
    with _one_at_a_time(layout):
        for tries_left in reversed(range(_TRIES)):
            pull(layout)
            _drop_old(layout)
            snapshot = next(reversed(committed(layout)), None)
            if snapshot is None or _fetched(layout, snapshot, may_fail=tries_left > 0):
                break
        if snapshot is not None:
            flip(layout, snapshot)
        elif layout.results.is_symlink():
            files.unlink(layout.results)
    return layout


def jobs_in(out: str) -> list[str]:
    """The jobs that have published under a URI, such as `s3://cubo/out`."""
    return ObjectStore(out).folders()


def fetch_kept(layout: Layout, snapshot: Snapshot | None = None) -> None:
    """Fetches a snapshot of the past for readers, or every one that is kept.

    Nothing is done for a job without a store, nor for a snapshot that the store keeps no more.
    """
    if layout.uri is not None:
        with _one_at_a_time(layout):
            fetch_earlier(layout, [snapshot] if snapshot else committed(layout))


def fetch_earlier(layout: Layout, snapshots: Iterable[Snapshot]) -> None:
    """As `fetch_kept`, for whoever holds the folder's lock."""
    for snapshot in snapshots:
        if is_stored(layout, snapshot):
            _fetched(layout, snapshot)


def _fetched(layout: Layout, snapshot: Snapshot, may_fail: bool = False) -> bool:
    lost = fetch_snapshot(layout, snapshot)
    if lost:
        files.remove_folder(layout.snapshot(snapshot.number))
    if lost and not may_fail:
        raise NocturnaError(
            f"{layout.place}: part {lost[0].name} of snapshot {snapshot.number} is gone or damaged "
            "in the store; the next night scores its documents again"
        )
    return not lost


def _drop_old(layout: Layout) -> None:
    """Removes snapshots whose parts have left the store."""
    for folder in files.listed(layout.snapshots):
        number = number_of(folder.name)
        snapshot = find_snapshot(layout, number) if number else None
        if snapshot is not None and not is_stored(layout, snapshot):
            files.remove_folder(folder)


@contextmanager
def _one_at_a_time(layout: Layout) -> Iterator[None]:
    """Waits for other readers on this machine that fetch."""
    with files.clear_errors(layout.root):
        files.make_folder(layout.root, private=True)
        handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
