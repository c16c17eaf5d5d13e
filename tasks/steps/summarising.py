"""Summaries for the documents of a run, one file a shard, before the shards are scored."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.enrichment.providers import KeyProvider
from nocturna.tasks.enrichment.records import SUMMARY_SCHEMA, DocumentText, Progress
from nocturna.tasks.enrichment.summarise import summarise
from nocturna.tasks.job import Job
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.steps.documents import Planned, read_planned
from nocturna.tasks.steps.run import SUMMARY, Plan, load_plan


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
    return Path(job.output.dir).expanduser().absolute() / ".summaries"


def summarise_run(
    layout: Layout,
    job: Job,
    run_id: str,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
    key_provider: KeyProvider,
) -> Summarised:
    """Summarises what a run has to work on. Shards that an earlier attempt finished stay.

    Raises:
        Stopped: on request; every answer is kept.
        UsageError: no key, or settings that cannot be used.
    """
    plan = load_plan(layout.plan(run_id))
    last: list[Progress] = []

    def keep_last(progress: Progress) -> None:
        last[:] = [progress]
        show(progress)

    taken: deque[tuple[int, int]] = deque()
    missing = [s.index for s in plan.shards if not summaries_path(layout, run_id, s.index).exists()]
    tables = summarise(
        _documents(layout, plan, missing, taken),
        job.summaries,
        language=job.language,
        state_folder=state_folder(job),
        run_id=run_id,
        progress=keep_last,
        stop=stop,
        total=plan.difference.asked[SUMMARY],
        key_provider=key_provider,
    )
    _save_by_shard(layout, run_id, tables, taken)
    statuses: Counter[str] = Counter()
    for shard in plan.shards:
        column = _read(layout, run_id, shard.index)["summary_status"]
        statuses.update({c["values"]: c["counts"] for c in pc.value_counts(column).to_pylist()})
    progress = last[0] if last else None
    return Summarised(
        dict(sorted(statuses.items())),
        progress.spent_usd if progress else 0.0,
        progress.stopped if progress else None,
    )


def with_summaries(layout: Layout, run_id: str, shard: int, work: Planned) -> pa.Table:
    """The documents of a shard with the columns of their summaries, new ones and carried ones."""
    found, asked = _read(layout, run_id, shard), pa.array(work.needs[SUMMARY])
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


def _documents(
    layout: Layout, plan: Plan, shards: Iterable[int], taken: deque[tuple[int, int]]
) -> Iterator[DocumentText]:
    """The documents of shards, one after the other; notes how many each of them has."""
    for shard in shards:
        work = read_planned(layout, plan, shard)
        documents = work.documents.filter(pa.array(work.needs[SUMMARY]))
        taken.append((shard, documents.num_rows))
        for doc_id, text in zip(
            documents["doc_id"].to_pylist(), documents["text"].to_pylist(), strict=True
        ):
            yield DocumentText(doc_id, text)


def _save_by_shard(
    layout: Layout, run_id: str, tables: Iterator[pa.Table], taken: deque[tuple[int, int]]
) -> None:
    """Writes each shard's file as soon as all of its documents have their row."""
    waiting = SUMMARY_SCHEMA.empty_table()
    while True:
        table = next(tables, None)
        if table is not None:
            waiting = pa.concat_tables([waiting, table])
        while taken and taken[0][1] <= waiting.num_rows:
            shard, rows = taken.popleft()
            _save(waiting.slice(0, rows), summaries_path(layout, run_id, shard))
            waiting = waiting.slice(rows)
        if table is None:
            return


def _save(table: pa.Table, path: Path) -> None:
    with files.clear_errors(path):
        files.make_folder(path.parent, private=True)
        temporary = files.new_file(files.temporary_of(path), private=True)
        pq.write_table(table, temporary, compression="zstd")
        files.put_whole(temporary, path)


def _read(layout: Layout, run_id: str, shard: int) -> pa.Table:
    return pq.read_table(summaries_path(layout, run_id, shard))
