"""Shards that are done: their parts, their quarantined rows and the record that says so."""

from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.parts import has_rows, is_whole, schema_of, write_tables
from nocturna.tasks.results.schema import same_columns
from nocturna.tasks.results.shard_records import ScoredShard, total
from nocturna.tasks.results.stored import as_record, read_record


def write_rejects(table: pa.Table, layout: Layout, run_id: str, shard: int) -> Path | None:
    """Writes the rows of a shard that could not be read; nothing if there are none.

    Returns:
        the file, `quarantine/<run_id>/shard-<shard5>.parquet`, durable.
    """
    path = layout.quarantine(run_id) / f"shard-{shard:05d}.parquet"
    if table.num_rows == 0:
        files.unlink(path)
        return None
    with files.clear_errors(path):
        files.make_folder(path.parent, private=True)
        temporary = files.new_file(files.temporary_of(path), private=True)
        write_tables([table], table.schema, temporary)
        files.put_whole(temporary, path)
    return path


def save_shard(layout: Layout, run_id: str, done: ScoredShard) -> None:
    """Records that a shard is done. Written last: a shard without its record is done again."""
    with files.clear_errors(layout.root):
        files.write_whole(_record(layout, run_id, done.shard), as_record(asdict(done)))


def load_shard(
    layout: Layout, run_id: str, shard: int, rows: int, schema: pa.Schema
) -> ScoredShard | None:
    """The shard as an earlier attempt at this run finished it, or None if it must be done again.

    The part is trusted only if it is byte for byte the one that was written, its rows and those
    in quarantine are the rows of the plan, and its columns are those of the run.

    Args:
        rows: rows that the plan says the shard has.
        schema: the results schema of the run.
    """
    found = read_record(_record(layout, run_id, shard), ScoredShard)
    if found is None or found.value is None or found.problem or found.newer:
        return None
    done = found.value
    if done.shard != shard or done.read != rows or not total([done]).accounted:
        return None
    kept = layout.quarantine(run_id) / f"shard-{shard:05d}.parquet"
    if done.quarantined and not has_rows(kept, done.quarantined):
        return None
    if done.part is None:
        return done if done.scored + done.failed + done.rewritten == 0 else None
    part = replace(done.part, path=layout.work(run_id) / done.part.name)
    done = replace(done, part=part)
    if part.rows != done.scored + done.failed + done.rewritten or not is_whole(part):
        return None
    return done if same_columns(schema_of(part.path), schema) else None


def _record(layout: Layout, run_id: str, shard: int) -> Path:
    return layout.work(run_id) / f"shard-{shard:05d}.json"
