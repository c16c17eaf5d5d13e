"""What a run keeps of its summaries: one file a shard, and where their answers and key are."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.enrichment.providers import KeyProvider, key_from_environment, provider_of
from nocturna.tasks.enrichment.summary_records import SUMMARY_SCHEMA
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout, home_of
from nocturna.tasks.run.documents import Documents
from nocturna.tasks.run.frozen import SUMMARY


@dataclass(frozen=True)
class Summarised:
    """What became of the documents of a run.

    Attributes:
        statuses: documents by `summary_status`.
        spent_usd: what the run spent, calls whose answer was lost included.
        stopped: why the stage stopped early, in one line; None if it did not.
    """

    statuses: dict[str, int]
    spent_usd: float
    stopped: str | None


def state_folder(job: Job) -> Path:
    """Where answers that were paid for are kept, for all jobs with one output folder."""
    return home_of(job.output.dir) / ".summaries"


def key_of(job: Job) -> KeyProvider:
    """Where the key comes from: the environment, or a Secret block; asked when it is needed."""
    name = job.summaries.secret
    if name is None:
        return key_from_environment(job.summaries)
    return lambda: _secret(name, provider_of(job.summaries).KEY_VARIABLE)


def with_summaries(layout: Layout, run_id: str, shard: int, work: Documents) -> pa.Table:
    """The documents of a shard with the columns of their summaries, new ones and carried ones."""
    found, asked = read_summaries(layout, run_id, shard), pa.array(work.needs[SUMMARY])
    documents = work.documents
    assert found["doc_id"].equals(documents["doc_id"].filter(asked))
    place = pc.if_else(asked, pc.subtract(pc.cumulative_sum(asked.cast("int64")), 1), None)
    for field in SUMMARY_SCHEMA:
        if field.name == "doc_id":
            continue
        values = found[field.name].take(place)
        if work.before is not None and field.name in work.before.column_names:
            values = pc.if_else(asked, values, work.before[field.name].cast(field.type))
        documents = documents.append_column(field, values)
    return documents


def summaries_path(layout: Layout, run_id: str, shard: int) -> Path:
    """The file of a shard's summaries; it exists once all of them are there."""
    return layout.work(run_id) / "summaries" / f"summaries-{shard:05d}.parquet"


def save_summaries(table: pa.Table, path: Path) -> None:
    """Writes the file of a shard; it is there whole or not at all."""
    with files.clear_errors(path):
        files.make_folder(path.parent, private=True)
        temporary = files.new_file(files.temporary_of(path), private=True)
        pq.write_table(table, temporary, compression="zstd")
        files.put_whole(temporary, path)


def read_summaries(layout: Layout, run_id: str, shard: int) -> pa.Table:
    """The summaries of a shard, in the order in which they were asked for."""
    return pq.read_table(summaries_path(layout, run_id, shard))


def _secret(name: str, variable: str) -> str:
    from prefect.blocks.system import Secret

    try:
        return str(Secret.load(name).get())  # type: ignore[union-attr]
    except ValueError:
        raise UsageError(
            f"summaries.secret: the engine has no Secret block named {name!r}; make one, or set "
            f"{variable} and leave `secret` out"
        ) from None
