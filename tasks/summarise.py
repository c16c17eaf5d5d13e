"""The step that summarises: every document that a run works on, before its shards are scored."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.control import control
from nocturna.tasks.enrichment.summary_records import SUMMARY_SCHEMA, DocumentText, Progress
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.run.documents import read_documents
from nocturna.tasks.run.frozen import SUMMARY, Plan, load_plan
from nocturna.tasks.run.kept_summaries import (
    Summarised,
    key_of,
    read_summaries,
    save_summaries,
    state_folder,
    summaries_path,
)
from nocturna.tasks.step import step


@step("summarise")
def summarise_documents(layout: Layout, run_id: str) -> Summarised:
    """Summarises what a run works on, within its budget. Finished shards of an earlier try stay.

    Raises:
        Stopped: on request; every answer is kept.
        UsageError: no key, or settings that cannot be used.
    """
    run, plan = control(), load_plan(layout.plan(run_id))
    job = plan.job
    last: list[Progress] = []

    def keep_last(progress: Progress) -> None:
        last[:] = [progress]
        run.tell(_line(progress))

    taken: deque[tuple[int, int]] = deque()
    shards = range(len(plan.shards))
    missing = [s for s in shards if not summaries_path(layout, run_id, s).exists()]
    tables = summarise(
        _documents(layout, plan, missing, taken),
        job.summaries,
        language=job.language,
        state_folder=state_folder(job),
        run_id=run_id,
        progress=keep_last,
        stop=run.stopping,
        total=plan.difference.asked[SUMMARY],
        key_provider=key_of(job),
    )
    _save_by_shard(layout, run_id, tables, taken)
    statuses: Counter[str] = Counter()
    for shard in shards:
        column = read_summaries(layout, run_id, shard)["summary_status"]
        statuses.update({c["values"]: c["counts"] for c in pc.value_counts(column).to_pylist()})
    progress = last[0] if last else None
    return Summarised(
        dict(sorted(statuses.items())),
        progress.spent_usd if progress else 0.0,
        progress.stopped if progress else None,
    )


def _documents(
    layout: Layout, plan: Plan, shards: Iterable[int], taken: deque[tuple[int, int]]
) -> Iterator[DocumentText]:
    """The documents of shards, one after the other; notes how many each of them has."""
    for shard in shards:
        work = read_documents(layout, plan, shard)
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
            save_summaries(waiting.slice(0, rows), summaries_path(layout, run_id, shard))
            waiting = waiting.slice(rows)
        if table is None:
            return


def _line(progress: Progress) -> str:
    of = f" of {progress.total:,}" if progress.total is not None else ""
    line = f"summaries: {progress.documents:,}{of} documents, {progress.spent_usd:.4f} USD spent"
    if progress.expected_usd is not None:
        line += f", {progress.expected_usd:.4f} expected"
    if progress.throttled_s:
        line += f", throttled for {progress.throttled_s:,.0f} s"
    return f"{line}; stopped: {progress.stopped}" if progress.stopped else line
