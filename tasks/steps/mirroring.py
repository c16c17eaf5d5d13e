"""Showing a published run as a Delta table too."""

from dataclasses import asdict, replace

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job import Job
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import read_manifest, write_manifest
from nocturna.tasks.results.report import Summary, table_line
from nocturna.tasks.results.snapshots import committed_snapshot
from nocturna.tasks.results.store import check_table
from nocturna.tasks.results.table import mirror


def mirror_run(layout: Layout, job: Job, summary: Summary) -> Summary:
    """Makes the job's table, if it wants one, hold what a run has published.

    An attempt that failed or was killed is made good by the next one, of this run or a later one.

    Args:
        summary: of the run, which is published.

    Raises:
        NocturnaError: the table cannot be brought up to the run; the snapshot stays published.
        Transient: the store does not answer.
    """
    if job.output.table is None:
        return summary
    snapshot = committed_snapshot(layout, summary.run_id)
    assert snapshot is not None
    try:
        check_table(job.output.table, layout)
        table = asdict(mirror(layout, snapshot, job.output.table))
    except NocturnaError as error:
        raise type(error)(
            f"{error}; snapshot {snapshot.number} is published in {layout.results} all the same, "
            "and the next run of the job brings the table up to date"
        ) from error
    write_manifest(layout, replace(read_manifest(layout, summary.run_id), table=table))
    reading = {**summary.reading, "deltalake": table_line(table["uri"])}
    return replace(summary, table=table, reading=reading)
