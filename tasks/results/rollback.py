"""Showing an earlier snapshot again: what a person does when a night published the wrong thing."""

from dataclasses import dataclass

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import (
    Snapshot,
    committed,
    current_snapshot,
    is_kept,
    line_of,
)
from nocturna.tasks.results.parts import is_whole
from nocturna.tasks.results.snapshots import commit


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did.

    Attributes:
        before: number of the snapshot that was current.
        to: number of the snapshot that is shown again; 0 for none, as before the first run.
        snapshot: the new snapshot that shows it.
    """

    before: int
    to: int
    snapshot: Snapshot


def earlier_snapshots(layout: Layout) -> list[Snapshot]:
    """The snapshots that can be shown again, newest first: those that are kept and whole.

    Also those that were rolled back behind; the one that is shown is not among them.
    """
    current = current_snapshot(layout)
    shown = {current.number, current.back_to} if current else set()
    others = [s for s in reversed(committed(layout)) if s.number not in shown and s.parts]
    kept = [s for s in others if s.back_to is None and is_kept(layout, s)]
    return [s for s in kept if all(map(is_whole, s.parts))]


def roll_back(layout: Layout, to: int | None = None) -> RolledBack:
    """Shows an earlier snapshot again, as a new one, so that numbers only grow.

    Call it with the lock held, after `recover`. The next night compares with what is shown then.
    The snapshot that was current stays on the disk as long as any that was replaced.

    Args:
        to: number of the snapshot; 0 so that nothing is published, as before the first run; the
            one before the current one by default.

    Raises:
        UsageError: there is no such snapshot; the message lists those that there are.
    """
    current = current_snapshot(layout)
    earlier = {snapshot.number: snapshot for snapshot in earlier_snapshots(layout)}
    if current is None or (not current.parts and not (to and earlier)):
        ways = f"; choose --to {_listed(earlier)}" if earlier else ", so nothing can be rolled back"
        raise UsageError(f"{layout.root}: nothing is published{ways}")
    led_here = [s.number for s in line_of(layout) if s.number in earlier]
    if to is None and not led_here:
        raise UsageError(
            f"{layout.root}: no snapshot before {current.number} is kept; --to 0 takes that one "
            "back, so that nothing is published"
        )
    target = led_here[0] if to is None else to
    if target and target not in earlier:
        raise UsageError(f"--to {target}: {_choices(earlier)}")
    with files.clear_errors(layout.root):
        chosen = earlier.get(target)
        snapshot = commit(
            layout,
            chosen.run_id if chosen else "",
            chosen.parts if chosen else (),
            back_to=target,
            identity=chosen.identity if chosen else None,
        )
    return RolledBack(current.number, target, snapshot)


def _choices(earlier: dict[int, Snapshot]) -> str:
    listed = f"{_listed(earlier)} or " if earlier else ""
    return f"choose {listed}0 (nothing published)"


def _listed(earlier: dict[int, Snapshot]) -> str:
    return ", ".join(f"{n} ({s.rows:,} rows, {s.published_at[:16]})" for n, s in earlier.items())
