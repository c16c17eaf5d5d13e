"""The documents of a shard that a run has to work on."""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.corpus.document_tables import ShardRows
from tasks.corpus.index import open_shard
from tasks.results.delta import wanted_ids
from tasks.results.layout import Layout
from tasks.steps.run import Plan


def read_planned(layout: Layout, plan: Plan, shard: int) -> tuple[ShardRows, pa.Table]:
    """Reads a shard; returns all of its rows, and the documents that are new or changed.

    Raises:
        NocturnaError: if the input changed since it was planned.
    """
    index = layout.index(plan.run_id)
    rows = open_shard(plan.job.source, plan.inputs, plan.shards[shard], plan.index, index)
    wanted = pc.is_in(rows.documents["doc_id"], wanted_ids(layout, plan.run_id, shard))
    return rows, rows.documents.filter(wanted)
