"""Rows that documents had before, for the answers that are carried over into their new rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import find_snapshot


def rows_before(layout: Layout, base: int, wanted: pa.Table) -> pa.Table | None:
    """The rows of documents in an earlier snapshot.

    Only the row groups that hold some of them are read.

    Args:
        base: number of the snapshot.
        wanted: `part` (name) and `row` (from 0) of each, null for a document that had none.

    Returns:
        every column of the snapshot, a row for each of `wanted`, in its order; None where none of
        them had a row.
    """
    if wanted["part"].null_count == wanted.num_rows:
        return None
    snapshot = find_snapshot(layout, base)
    paths = {part.name: part.path for part in snapshot.parts} if snapshot else {}
    order = pa.array(range(wanted.num_rows), pa.int64())
    wanted = wanted.select(["part", "row"]).append_column("order", order)
    found, orders = [], []
    for name in pc.unique(wanted["part"].drop_null()).to_pylist():
        mine = wanted.filter(pc.equal(wanted["part"], name)).sort_by("row")
        rows = mine["row"].to_numpy()
        with pq.ParquetFile(paths[name], pre_buffer=False) as content:
            first = 0
            for group in range(content.num_row_groups):
                stop = first + content.metadata.row_group(group).num_rows
                here = rows[(rows >= first) & (rows < stop)]
                if len(here):
                    found.append(content.read_row_group(group).take(pa.array(here - first)))
                first = stop
        orders.append(mine["order"].to_numpy())
    table = pa.concat_tables(found)
    place = np.full(wanted.num_rows, -1, dtype=np.int64)
    place[np.concatenate(orders)] = np.arange(table.num_rows)
    return table.take(pa.array(place, mask=place < 0))
