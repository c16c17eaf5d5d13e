"""Rows that cannot be read: how many are too many, and where they are kept."""

from nocturna.tasks.corpus.index import read_rejects
from nocturna.tasks.corpus.summary import IndexSummary
from nocturna.tasks.errors import QualityRefused, UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.parts import rejects_in, rows_in, write_tables
from nocturna.tasks.run.frozen import Plan


def refuse_unreadable(plan: Plan) -> None:
    """Refuses a run of which too few rows can be read, before any model is loaded.

    Raises:
        UsageError: nothing is a document, or the ids are none.
        QualityRefused: more rows than the job's limit cannot be read.
    """
    index, limit = plan.index, plan.job.quality.max_quarantined
    if not index.documents:
        raise UsageError(
            f"{_where(plan)}: none of its {index.read:,} rows is a document{_why(index)}"
        )
    if index.rejected <= limit * index.read:
        return
    if index.example is not None and index.duplicates > limit * index.read:
        twice = index.example
        raise UsageError(
            f"{_where(plan)}: the id column {index.id_column!r} does not identify documents: "
            f"{index.duplicates:,} of {index.read:,} rows repeat an id, such as "
            f"{twice.doc_id!r} at {twice.first_uri}:{twice.first_row} and "
            f"{twice.again_uri}:{twice.again_row}; name another column with --id, or none, "
            "or say which row of an id counts: --on-repeat last, or first"
        )
    if "max_quarantined" in plan.job.quality.warn_only:
        return
    raise QualityRefused(
        f"{_where(plan)}: {index.rejected:,} of {index.read:,} rows cannot be read, more than the "
        f"limit of {limit:.1%}{_why(index)}; mend the source or raise --max-quarantined"
    )


def tell_unreadable(index: IndexSummary) -> str:
    """How many rows cannot be read, and why; empty if all can be."""
    if not index.rejected:
        return ""
    rows = "row" if index.rejected == 1 else "rows"
    return f"{index.rejected:,} {rows} cannot be read{_why(index)}"


def quarantine(layout: Layout, plan: Plan) -> int:
    """Keeps the rows that could not be read, a file for each chunk of the index that has some.

    Returns:
        how many there are; they are in `quarantine/<run_id>/`, durable.
    """
    folder = layout.quarantine(plan.run_id)
    files.remove_folder(folder)
    if not plan.index.rejected:
        return 0
    with files.clear_errors(folder):
        files.make_folder(folder, private=True)
        for chunk in range(plan.index.chunks):
            table = read_rejects(layout.index(plan.run_id), chunk)
            if table.num_rows:
                path = folder / f"rows-{chunk:06d}.parquet"
                temporary = files.new_file(files.temporary_of(path), private=True)
                write_tables([table], table.schema, temporary)
                files.put_whole(temporary, path)
    return plan.index.rejected


def is_quarantined(layout: Layout, plan: Plan) -> bool:
    """Whether every row that could not be read is where `quarantine` put it."""
    found = rejects_in(layout.quarantine(plan.run_id))
    return sum(rows_in(path) for path in found) == plan.index.rejected


def _where(plan: Plan) -> str:
    return plan.inputs[0].uri if plan.n_inputs == 1 else f"{plan.n_inputs:,} inputs"


def _why(index: IndexSummary) -> str:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in index.reasons.items())
    return f" ({reasons})" if reasons else ""
