"""Sending what a run published to the further places that its job wants."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nocturna.tasks.errors import NocturnaError, Transient
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import read_manifest, write_manifest
from nocturna.tasks.results.report import Summary, with_places
from nocturna.tasks.results.sinks import Received, Receiver, asked_for
from nocturna.tasks.results.snapshots import committed_snapshot

if TYPE_CHECKING:
    from nocturna.tasks.results.log_entries import Snapshot


def send(layout: Layout, output: Any, summary: Summary) -> Summary:
    """Makes the places that a job wants hold what a run has published.

    An attempt that failed or was killed is made good by the next one, of this run or a later one.
    A place that fails does not keep the snapshot from the others.

    Args:
        output: the section of the job.
        summary: of the run, which is published.

    Raises:
        NocturnaError: a place cannot be brought up to the run; the snapshot stays published.
        Transient: a place does not answer.
    """
    sinks = asked_for(output)
    if not sinks:
        return summary
    snapshot = committed_snapshot(layout, summary.run_id)
    assert snapshot is not None
    reached: dict[str, Received] = {}
    failed: list[NocturnaError] = []
    for name, sink in sinks.items():
        try:
            reached[name] = _received(name, sink, output, layout, snapshot)
        except NocturnaError as error:
            failed.append(error)
    if reached:
        manifest = read_manifest(layout, summary.run_id)
        summary = with_places(summary, reached)
        sinks_now = {**manifest.sinks, **summary.sinks}
        write_manifest(layout, replace(manifest, table=summary.table, sinks=sinks_now))
    if failed:
        first = next((error for error in failed if isinstance(error, Transient)), failed[0])
        raise type(first)(
            f"{'; '.join(map(str, failed))}; snapshot {snapshot.number} is published in "
            f"{layout.results} all the same, and the next run of the job makes up for it"
        ) from first
    return summary


def _received(
    name: str, sink: Receiver, output: Any, layout: Layout, snapshot: "Snapshot"
) -> Received:
    try:
        return sink.receive(output, layout, snapshot)
    except NocturnaError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise NocturnaError(f"sink {name}: {type(error).__name__}: {said}") from error
