"""The types of kept columns where rows of documents that are gone stay beside tonight's."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import source_name
from nocturna.tasks.corpus.kept import stored_type
from nocturna.tasks.corpus.kept_types import KeptTypes, Seen
from nocturna.tasks.corpus.lots import index_files
from nocturna.tasks.results.difference import Difference
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.schema import source_columns

_log = logging.getLogger(__name__)

_LEAST, _MOST = -(2**63), 2**64 - 1


def types_with_carried(
    layout: Layout, index: Path, kept: pa.Schema, names: Mapping[str, str], difference: Difference
) -> pa.Schema:
    """The types that hold both tonight's values of the kept columns and those that are carried.

    Args:
        index: folder of the index of tonight's corpus.
        kept: its types, by source column.
        names: the result column of each source column.
    """
    snapshot = current_snapshot(layout)
    if snapshot is None or not difference.vanished or difference.drop_vanished:
        return kept
    parts = [part.path for part in snapshot.parts if part.name not in difference.damaged]
    before = schema_of(parts[0])
    types = KeptTypes(kept.names)
    for name, target in names.items():
        kind = kept.field(name).type
        if target not in before.names or before.field(target).type == stored_type(kind):
            types.add(name, kind, Seen(""))
            continue
        tonight = _seen(index_files(index), f"kept.{name}", "the corpus")
        types.add(name, stored_type(kind), tonight)
        carried = _seen(parts, target, str(layout.results))
        types.add(name, before.field(target).type, carried)
    types.tell()
    return pa.schema([f.with_name(source_name(f.name)) for f in types.schema()])


def with_columns_before(layout: Layout, kept: pa.Schema) -> pa.Schema:
    """Kept columns, and further ones that are published: tonight's rows are null in them."""
    snapshot = current_snapshot(layout)
    if snapshot is None or not snapshot.parts:
        return kept
    before = schema_of(snapshot.parts[0].path)
    lost = {c: name for c, name in source_columns(before).items() if c not in kept.names}
    if lost:
        shown = ", ".join(map(repr, lost))
        _log.warning("no file has the columns %s of last night: null in tonight's rows", shown)
    return pa.schema([*kept, *(pa.field(c, before.field(name).type) for c, name in lost.items())])


def _seen(paths: Iterable[Path], column: str, where: str) -> Seen:
    """The range of a column's whole numbers, from the statistics of its files."""
    low = high = 0
    for path in paths:
        about = pq.read_metadata(path)
        for group in map(about.row_group, range(about.num_row_groups)):
            for at in range(group.num_columns):
                chunk = group.column(at)
                if chunk.path_in_schema != column or chunk.physical_type not in ("INT32", "INT64"):
                    continue
                told = chunk.statistics
                if told is None or not told.has_min_max:
                    return Seen(where, _LEAST, _MOST)
                if isinstance(told.min, int):
                    low, high = min(low, told.min), max(high, told.max)
    return Seen(where, low, high)
