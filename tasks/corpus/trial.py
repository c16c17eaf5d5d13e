"""Some rows of a corpus, to try a job out: the first ones, or ones drawn from all of it."""

import glob
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.lots import chunk_in_sql, index_file, rejects_file
from nocturna.tasks.corpus.staged_rows import rewrite

LEFT_OUT = "left_out"
"""Disposition of documents that a trial does not take."""

_ROWS = """
    SELECT '{kind}' AS kind, {chunk} AS chunk,
        file_row_number AS place, source_uri, source_row
    FROM read_parquet($folder || '/{kind}-*.parquet', hive_partitioning = false,
        filename = true, file_row_number = true)"""
_CHOSEN = f"""
    SELECT kind, chunk, place FROM (
        {_ROWS.format(kind="index", chunk=chunk_in_sql("index"))}
        UNION ALL {_ROWS.format(kind="rejects", chunk=chunk_in_sql("rejects"))}
    ) ORDER BY {{order}} LIMIT {{rows}}"""


@dataclass(frozen=True)
class Trial:
    """How many rows are taken.

    Attributes:
        limit: so many from the beginning.
        sample: so many drawn from all rows, always the same ones for a seed.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0


def drawn_by(seed: int) -> str:
    """The order, in SQL, whose first rows are those that a seed draws.

    One hash of all three: of several values DuckDB joins the hashes bit by bit, so that another
    seed would draw the same rows again or just the others.
    """
    one = f"source_uri || chr(10) || source_row || chr(10) || '{int(seed)}'"
    return f"hash({one}), source_uri, source_row"


def take_some(folder: Path, chunks: int, trial: Trial) -> tuple[pa.Table, int]:
    """Leaves rows of an index out, good and bad alike.

    Args:
        folder: the index, of so many chunks; nothing of it is settled yet.

    Returns:
        the documents that are taken (`error_code`) and how many rejects are.
    """
    order = "chunk, source_uri, source_row"
    if trial.sample is not None:
        order = drawn_by(trial.seed)
    rows = int(trial.sample if trial.sample is not None else trial.limit or 0)
    with duckdb.connect(":memory:") as database:
        chosen = database.sql(
            _CHOSEN.format(order=order, rows=rows), params={"folder": glob.escape(str(folder))}
        ).to_arrow_table()
    documents, rejects = [], 0
    places = chosen["chunk"].to_numpy(), chosen["place"].to_numpy()
    kinds = np.array(chosen["kind"].to_pylist())
    for chunk in range(chunks):
        for kind, path in (("index", index_file), ("rejects", rejects_file)):
            table = pq.read_table(path(folder, chunk))
            mask = np.zeros(table.num_rows, dtype=bool)
            mask[places[1][(places[0] == chunk) & (kinds == kind)]] = True
            if kind == "rejects":
                rewrite(table.filter(pa.array(mask)), path(folder, chunk))
                rejects += int(mask.sum())
                continue
            documents.append(table.select(["error_code"]).filter(pa.array(mask)))
            at = table.schema.get_field_index("disposition")
            fate = pc.if_else(pa.array(mask), table["disposition"], LEFT_OUT)
            rewrite(table.set_column(at, table.schema.field(at), fate), path(folder, chunk))
    return pa.concat_tables(documents), rejects
