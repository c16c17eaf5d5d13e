"""Looking over an output folder at the start of a night, and setting aside what cannot be used."""

import os
from pathlib import Path

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.damaged import Bad, set_aside, tell
from nocturna.tasks.results.layout import Layout, is_run_id, number_of
from nocturna.tasks.results.log_entries import committed, logged_numbers, stored_entry
from nocturna.tasks.results.manifest import run_folders, stored_manifest
from nocturna.tasks.results.stored import Stored, read_values


def check_homes(layout: Layout) -> None:
    """Sets aside links, files and folders that stand where a run needs something else.

    Nothing behind a link is read, written or removed: what it points to is not ours.

    Raises:
        NocturnaError: a folder of the job may not be read or written.
        UsageError: what is published is behind a link.
    """
    refuse_moved(layout)
    homes = [layout.snapshots, layout.log, layout.runs, layout.root / "work"]
    homes.append(layout.root / "quarantine")
    for home in (layout.root, *homes):
        if files.is_folder(home) and not os.access(home, os.R_OK | os.W_OK | os.X_OK):
            raise NocturnaError(
                f"{home}: permission denied: give the user of the night the right to read and "
                "write it, or choose another folder with --out"
            )
    strange = [_no_folder(home) for home in homes]
    temporary = files.temporary_of(layout.results)
    if files.is_folder(temporary):
        strange.append(Bad(temporary, "is a folder where a link is made"))
    set_aside(layout, "things in the place of folders", [bad for bad in strange if bad])
    inside = [
        _no_folder(path) if path.suffix != ".json" else _no_file(path)
        for home in homes
        for path in files.listed(home)
        if _is_ours(home.name, path)
    ]
    set_aside(layout, "things of that kind", [bad for bad in inside if bad])


def refuse_moved(layout: Layout) -> None:
    """Refuses a night whose published rows somebody moved to another place, behind a link.

    They are not gone, as they are where a snapshot was deleted, and a night that set the link aside
    would publish without them.

    Raises:
        UsageError: naming the link and where it leads.
    """
    newest = [layout.snapshot(snapshot.number) for snapshot in committed(layout)[-1:]]
    for path in (layout.snapshots, *newest):
        if path.is_symlink():
            raise UsageError(
                f"{path}: is a link to {path.readlink()}, and what is published is behind it: "
                f"move it back here, or move {layout.root} as a whole and leave a link to that"
            )


def check_records(layout: Layout) -> None:
    """Sets aside log entries, manifests, metrics and plans that nothing can be read of."""
    entries = {layout.entry(n): stored_entry(layout, n) for n in logged_numbers(layout)}
    _set_aside(layout, "log entries", entries)
    published = {snapshot.run_id for snapshot in committed(layout)}
    runs = run_folders(layout)
    manifests = {layout.manifest(run_id): stored_manifest(layout, run_id) for run_id in runs}
    _set_aside(layout, "manifests", manifests)
    _set_aside(layout, "metrics", {layout.metrics(r): read_values(layout.metrics(r)) for r in runs})
    waiting = [layout.plan(run_id) for run_id in runs if run_id not in published]
    _set_aside(layout, "plans", {path: read_values(path) for path in waiting})


def _set_aside(layout: Layout, kind: str, found: dict[Path, Stored | None]) -> None:
    bad = [(Bad(p, f"cannot be read: {s.problem}"), s) for p, s in found.items() if s and s.problem]
    gone = [one for one, stored in bad if stored.value is None and not stored.newer]
    set_aside(layout, kind, gone)
    tell(kind, [one for one, _ in bad if one not in gone])


def _is_ours(home: str, path: Path) -> bool:
    if home in {"snapshots", "log"}:
        name = path.name.removesuffix(".tmp") if home == "snapshots" else path.name
        return number_of(name) is not None
    return is_run_id(path.name) or path.name == ".spill"


def _no_folder(path: Path) -> Bad | None:
    return _bad(path, "folder") if files.is_there(path) and not files.is_folder(path) else None


def _no_file(path: Path) -> Bad | None:
    return _bad(path, "file") if not files.is_file(path) else None


def _bad(path: Path, wanted: str) -> Bad:
    found = "link" if path.is_symlink() else "file" if path.is_file() else "folder"
    return Bad(path, f"is a {found}, not a {wanted}")
