"""Which rows a reader sees: those of now, or of an earlier snapshot as long as it is kept."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.fetched_results import fetch_kept, fetch_results
from nocturna.tasks.results.layout import Layout, is_store, layout_of, number_of, out_and_job
from nocturna.tasks.results.log_entries import Snapshot, committed, find_snapshot, is_kept
from nocturna.tasks.results.parts import parts_in, schema_of

At = int | str | date | None
"""A snapshot's number, a run's id or a part of it, a date, a time; None for what is shown now."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
SHORTEST_PART = 6
"""Characters of a part of a run id, so that none is taken for a number."""

_SHOWN = 5


@dataclass(frozen=True)
class View:
    """The rows of one snapshot.

    Attributes:
        number: of the snapshot; None where the folder's name does not say it.
        run_id: the run that published it; None where the log does not say it.
        published_at: when, ISO 8601 in UTC; None where the log does not say it.
        parts: its Parquet files, all of one schema, at least one.
    """

    layout: Layout
    number: int | None
    run_id: str | None
    published_at: str | None
    parts: tuple[Path, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns, with what each means as field metadata."""
        return schema_of(self.parts[0])


def job_folder(out: str | Path) -> Layout:
    """The output folder of a job; of one in an object store, what is fetched of it.

    Raises:
        UsageError: there is no such folder, or nothing of a job in it.
        NocturnaError: the store refuses, or does not answer.
    """
    layout = fetch_results(str(out)) if is_store(out) else layout_of(*out_and_job(out))
    if not (layout.results.exists() or layout.log.is_dir() or layout.runs.is_dir()):
        raise UsageError(f"{out}: nothing is published here; name the output folder of a job")
    return layout


def view_of(out: str | Path, at: At = None) -> View:
    """The snapshot that readers see now, or saw then.

    It stays readable for at least 24 hours, whatever is published meanwhile.

    Args:
        out: output folder of a job, e.g. `out/prensa` or `s3://cubo/out/prensa`.
        at: number of a snapshot, id of the run that published it, or a date or time in UTC: the
            last one published by the end of that day, or by that time.

    Raises:
        UsageError: nothing is published, or what is asked for is not kept; the line says what is.
    """
    layout = job_folder(out)
    if at is None:
        return _now(layout, out)
    return _kept(layout, _found(layout, at), at)


def view_before(view: View) -> View:
    """The snapshot that readers saw before this one, of those that are kept.

    Raises:
        UsageError: none is.
    """
    earlier = [s for s in kept_snapshots(view.layout) if s.number < (view.number or 0)]
    if not earlier:
        raise UsageError(
            f"{view.layout.place}: no earlier snapshot is kept; this is the first night"
        )
    return _kept(view.layout, earlier[-1], earlier[-1].number)


def kept_snapshots(layout: Layout) -> list[Snapshot]:
    """The snapshots whose rows can still be read, oldest first."""
    fetch_kept(layout)
    return _those_kept(layout)


def _those_kept(layout: Layout) -> list[Snapshot]:
    return [s for s in committed(layout) if s.parts and is_kept(layout, s)]


def _now(layout: Layout, out: str | Path) -> View:
    if not layout.results.exists():
        raise UsageError(f"{out}: nothing is published here; name the output folder of a job")
    folder = layout.results.resolve()
    parts = tuple(parts_in(folder))
    if not parts:
        raise UsageError(f"{layout.results}: holds no Parquet file; run the job again")
    number = number_of(folder.name)
    entry = find_snapshot(layout, number) if number else None
    run, published = (entry.run_id, entry.published_at) if entry else (None, None)
    return View(layout, number, run, published, parts)


def _kept(layout: Layout, snapshot: Snapshot, at: At) -> View:
    if not snapshot.parts:
        raise UsageError(f"{layout.place}: nothing was published at {at}: it was all rolled back")
    fetch_kept(layout, snapshot)
    parts = tuple(part.path for part in snapshot.parts)
    if not all(map(files.is_file, parts)):
        raise UsageError(f"{_said(layout, snapshot)} is not kept any more; {_what_is(layout)}")
    return View(layout, snapshot.number, snapshot.run_id, snapshot.published_at, parts)


def _found(layout: Layout, at: At) -> Snapshot:
    every, text, moment = committed(layout), str(at).strip(), _moment(at)
    found = [s for s in every if text.isdecimal() and s.number == int(text)]
    if found:
        return found[-1]
    if moment is not None:
        found = [s for s in every if _time(s.published_at) <= moment]
    elif len(text) >= SHORTEST_PART:
        found = _of_run(every, text)
    if not found:
        raise UsageError(
            f"{layout.place}: no snapshot {text!r} (a number, a run id or a date); "
            f"{_what_is(layout)}"
        )
    return found[-1]


def _of_run(every: list[Snapshot], text: str) -> list[Snapshot]:
    runs = [s for s in every if text in s.run_id and s.back_to is None]
    exact = [s for s in runs if s.run_id == text]
    if len(runs) > 1 and not exact:
        ids = ", ".join(s.run_id for s in runs[:3])
        raise UsageError(f"{text!r} is a part of {len(runs)} run ids, such as {ids}")
    return exact or runs


def _moment(at: At) -> datetime | None:
    """The end of a day, or a time; None for what is neither."""
    if isinstance(at, str):
        if not _DAY.match(at):
            return None
        try:
            at = date.fromisoformat(at) if len(at) <= 10 else datetime.fromisoformat(at)
        except ValueError:
            return None
    if isinstance(at, datetime):
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return datetime.combine(at, time.max, UTC) if isinstance(at, date) else None


def _time(published_at: str) -> datetime:
    try:
        found = datetime.fromisoformat(published_at)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _said(layout: Layout, snapshot: Snapshot) -> str:
    return f"{layout.place}: snapshot {snapshot.number} of {snapshot.published_at[:16]}"


def _what_is(layout: Layout) -> str:
    kept = _those_kept(layout)
    if not kept:
        return "none is kept"
    listed = ", ".join(f"{s.number} ({s.published_at[:16]})" for s in reversed(kept[-_SHOWN:]))
    more = f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else ""
    return f"kept are {listed}{more}"
