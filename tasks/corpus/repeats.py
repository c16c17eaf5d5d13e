"""Repeated ids and repeated texts across a whole corpus, found by DuckDB in bounded memory."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.lots import chunk_in_sql, index_files
from nocturna.tasks.corpus.trial import LEFT_OUT

MEMORY = "256MB"
_QUERY = """
    COPY (
        WITH keys AS (
            SELECT {key} AS key FROM read_parquet($files, hive_partitioning = false)
            WHERE disposition <> '{left_out}'
            GROUP BY key HAVING count(*) > 1
        ),
        placed AS (
            SELECT {chunk} AS chunk,
                file_row_number::INTEGER AS position, {key} AS key, source_uri, source_row
            FROM read_parquet(
                $files, hive_partitioning = false, filename = true, file_row_number = true)
            WHERE disposition <> '{left_out}'
        ),
        numbered AS (
            SELECT chunk, position,
                row_number() OVER occurrence AS n,
                first_value(source_uri) OVER occurrence AS first_uri,
                first_value(source_row) OVER occurrence AS first_row
            FROM placed SEMI JOIN keys ON placed.key = keys.key LEFT JOIN places USING (source_uri)
            WINDOW occurrence AS (
                PARTITION BY key ORDER BY place {order}, chunk {order}, position {order}
            )
        )
        SELECT * FROM numbered WHERE n > 1 ORDER BY chunk, position
    ) TO $target (FORMAT parquet)
"""


def find_repeats(
    folder: Path, by_id: bool, last: bool = False, files: Sequence[str] = ()
) -> Iterator[tuple[int, pa.Table]]:
    """The documents whose id or content another one has that counts, chunk by chunk in order.

    Args:
        folder: holds `index-*.parquet`; large sorts spill into it.
        by_id: compare `doc_id`, else `content_hash`.
        last: whether the last one counts, rather than the first.
        files: the inputs in the order in which their rows count; that of the corpus without any.

    Returns:
        chunk and a table of position, n (occurrence number from 2, from the one that
        counts), and of first_uri and first_row: that one.
    """
    target = folder / "repeats.parquet"
    spill = folder / "spill"
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
        "threads": 1,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        indexes = list(map(str, index_files(folder)))
        key, order = "doc_id" if by_id else "content_hash", "DESC" if last else "ASC"
        places = {"source_uri": pa.array(files, pa.string()), "place": list(range(len(files)))}
        connection.register("places", pa.table(places))
        query = _QUERY.format(key=key, order=order, left_out=LEFT_OUT, chunk=chunk_in_sql())
        connection.execute(query, {"files": indexes, "target": str(target)})
    shutil.rmtree(spill, ignore_errors=True)
    yield from _by_chunk(target)
    target.unlink()


def _by_chunk(path: Path) -> Iterator[tuple[int, pa.Table]]:
    waiting: list[pa.RecordBatch] = []
    current = -1
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for chunk in pc.unique(batch["chunk"]).to_pylist():
                if chunk != current and waiting:
                    yield current, pa.Table.from_batches(waiting)
                    waiting = []
                current = chunk
                waiting.append(batch.filter(pc.equal(batch["chunk"], chunk)))
    if waiting:
        yield current, pa.Table.from_batches(waiting)
