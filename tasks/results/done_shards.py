"""Shards that are done: their parts and the record that says so."""

from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.parts import is_whole, schema_of
from nocturna.tasks.results.schema import same_columns
from nocturna.tasks.results.shard_records import ScoredShard
from nocturna.tasks.results.stored import as_record, read_record


def save_shard(layout: Layout, run_id: str, done: ScoredShard) -> None:
    """Records that a shard is done. Written last: a shard without its record is done again.

    Where two have done it, as after a node that was given up came back, one record counts; the part
    that it names is there, and whole, whichever it is.
    """
    record = as_record(asdict(done))
    with files.clear_errors(layout.root):
        files.write_whole(_record(layout, run_id, done.shard), record, shared=True)


def load_shard(
    layout: Layout, run_id: str, shard: int, rows: int, schema: pa.Schema
) -> ScoredShard | None:
    """The shard as an earlier attempt at this run finished it, or None if it must be done again.

    The part is trusted only if it is byte for byte the one that was written, its rows are the
    documents of the plan, and its columns are those of the run.

    Args:
        rows: documents that the plan says the shard has.
        schema: the results schema of the run.
    """
    found = read_record(_record(layout, run_id, shard), ScoredShard)
    if found is None or found.value is None or found.problem or found.newer:
        return None
    done = found.value
    part = replace(done.part, path=layout.work(run_id) / done.part.name)
    if done.shard != shard or not done.rows == rows == part.rows or not is_whole(part):
        return None
    return replace(done, part=part) if same_columns(schema_of(part.path), schema) else None


def _record(layout: Layout, run_id: str, shard: int) -> Path:
    return layout.work(run_id) / f"shard-{shard:05d}.json"
