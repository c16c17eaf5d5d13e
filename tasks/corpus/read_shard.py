"""Reading a shard: exactly its slices, every row a document or a reject."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nocturna.tasks.corpus.document_tables import ShardRows
from nocturna.tasks.corpus.input_files import InputFile, Shard
from nocturna.tasks.corpus.read_columns import read_columns
from nocturna.tasks.corpus.read_csv import read_csv
from nocturna.tasks.corpus.read_json import read_json
from nocturna.tasks.corpus.read_text import read_file, read_text
from nocturna.tasks.corpus.row_kinds import Collector
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Source

if TYPE_CHECKING:
    import pyarrow as pa

_READERS = {
    "jsonl": read_json,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_csv,
    "text": read_text,
    "files": read_file,
    "parquet": read_columns,
    "arrow": read_columns,
}


def read_shard(
    source: Source, inputs: Sequence[InputFile], shard: Shard, types: "pa.Schema | None" = None
) -> ShardRows:
    """The rows of a shard.

    Ids and texts come exactly as written. Documents that bring no id have a null doc_id, except
    those of the format `files`, which are named by their path.

    Args:
        types: of the kept columns; those that hold what the shard has if none are given.

    Raises:
        UsageError: if an input is gone, cut off or corrupt.
        NocturnaError: if the shard does not hold the rows that the plan says.
    """
    has_id = source.id is not None or any(inputs[s.input].format == "files" for s in shard.slices)
    rows = Collector(source.max_chars, has_id, source.keep)
    for part in shard.slices:
        item = inputs[part.input]
        rows.uri = item.uri
        _READERS[item.format](source, item, part, rows)
    found = rows.finish(types)
    count = found.documents.num_rows + found.rejects.num_rows
    if count != shard.rows:
        names = ", ".join(dict.fromkeys(inputs[s.input].uri for s in shard.slices))
        raise NocturnaError(
            f"{names}: changed while the run was going on: shard {shard.index} holds {count} rows, "
            f"{shard.rows} when it was planned; run again"
        )
    return found
