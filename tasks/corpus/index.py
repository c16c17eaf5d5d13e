"""The index of a corpus: every row read once before any model runs.

It gives each document its final id, finds repeated ids across the whole corpus, counts what cannot
be read, and remembers a digest of each shard so that a later reading can be proven to be the same.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.control import go_on
from nocturna.tasks.corpus.document_tables import (
    DISPOSED,
    DOCUMENT_SCHEMA,
    ShardRows,
    kept_name,
    source_name,
)
from nocturna.tasks.corpus.index_files import counts_of, index_path, rejects_path, write_table
from nocturna.tasks.corpus.input_files import InputFile, Shard
from nocturna.tasks.corpus.kept import label_lists, stored, stored_type
from nocturna.tasks.corpus.kept_types import KeptTypes, converted
from nocturna.tasks.corpus.read_shard import read_shard
from nocturna.tasks.corpus.settle import settle_repeats
from nocturna.tasks.corpus.storage import fingerprint
from nocturna.tasks.corpus.summary import IndexSummary, ShardIndex
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Source

INDEX_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int32()),
        pa.field("position", pa.int32()),  # among the documents of the shard, from 0
        pa.field("doc_id", pa.string()),
        pa.field("content_hash", pa.string()),
        pa.field("source_uri", pa.string()),
        pa.field("source_row", pa.int64()),
        pa.field("disposition", pa.string()),  # score, failed, duplicate_id or superseded
        pa.field("error_code", pa.string()),
    ]
)
_KEPT = "kept.schema"


def build_index(
    source: Source,
    inputs: Sequence[InputFile],
    shards: Sequence[Shard],
    folder: Path,
    lists: Sequence[str] = (),
) -> IndexSummary:
    """Reads every shard and writes its index and rejects into `folder`.

    A document without an id is named `<content_hash>-<n>`, n being the how-manieth document with
    that content it is. Of documents with the same id the first stays and later ones are rejected,
    or `source.on_repeat` says which of them counts and the others are superseded.
    The kept columns are in it too, as `kept.<column>`, so that a night sees which have changed.

    Args:
        lists: kept columns that hold the labels of each document; in it as `list.<column>`.

    Raises:
        UsageError: if an input cannot be read.
        NocturnaError: if an input changed since it was planned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("index-*.parquet"), *folder.glob("rejects-*.parquet")):
        old.unlink()
    failed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    entries: list[ShardIndex] = []
    types = KeptTypes(source.keep)
    mixed: set[int] = set()
    named = False
    for shard in shards:
        go_on()
        rows = read_shard(source, inputs, shard)
        types.join(rows.types)
        if any(map(rows.types.is_mixed, source.keep)):
            mixed.add(shard.index)
        named = named or rows.documents["doc_id"].null_count < rows.documents.num_rows
        failed.update(counts_of(rows.documents["error_code"]))
        reasons.update(counts_of(rows.rejects["reason"]))
        table = _index_table(shard.index, rows.documents, lists)
        write_table(table, index_path(folder, shard.index))
        write_table(rows.rejects, rejects_path(folder, shard.index))
        bad = rows.rejects.num_rows
        entries.append(ShardIndex(shard.index, shard.rows, shard.rows - bad, bad, rows.digest))
    _check_unchanged(source, inputs)
    types.tell()
    kept = types.schema()
    for shard in shards:
        again = read_shard(source, inputs, shard, kept) if shard.index in mixed else None
        _retype(index_path(folder, shard.index), kept, again)
    settled = settle_repeats(folder, inputs, shards, named, source.on_repeat)
    failed.subtract(settled.failed)
    reasons.update(settled.rejected_reasons)
    entries = [settled.applied(entry) for entry in entries]
    write_kept_schema(folder, kept)
    read = sum(entry.rows for entry in entries)
    rejected = sum(entry.rejected for entry in entries)
    superseded = sum(entry.superseded for entry in entries)
    return IndexSummary(
        read=read,
        documents=read - rejected - superseded,
        failed={code: n for code, n in sorted(failed.items()) if n},
        rejected=rejected,
        reasons={reason: n for reason, n in sorted(reasons.items()) if n},
        duplicates=reasons["duplicate_id"],
        id_column=source.id,
        example=settled.example,
        shards=tuple(entries),
        superseded=superseded,
    )


def kept_schema(folder: Path) -> pa.Schema:
    """The kept columns of an index, each with one type for the whole corpus.

    They have the names that they have in the source.
    """
    return pq.read_schema(folder / _KEPT).remove_metadata()


def write_kept_schema(folder: Path, kept: pa.Schema) -> None:
    """Says what `kept_schema` says from now on."""
    named = [field.with_name(source_name(field.name)) for field in kept]
    pq.write_metadata(pa.schema(named), folder / _KEPT)


def retype(folder: Path, kept: pa.Schema) -> None:
    """Gives the kept columns of an index types that hold more; `kept` has their source names."""
    named = _named(kept)
    for path in sorted(folder.glob("index-*.parquet")):
        _retype(path, named, None)
    write_kept_schema(folder, named)


def read_rejects(folder: Path, shard: int) -> pa.Table:
    """The rows of a shard that could not be read, or whose id another row has."""
    return pq.read_table(rejects_path(folder, shard))


def open_shard(
    source: Source,
    inputs: Sequence[InputFile],
    shard: Shard,
    index: IndexSummary,
    folder: Path,
) -> ShardRows:
    """Reads a shard again and proves that it is what the index saw.

    Returns:
        the documents to keep, with their final ids and one type a kept column across the whole
        corpus, and the rejects of the shard, repeated ids among them.

    Raises:
        NocturnaError: if the input changed since the index was built.
    """
    rows = read_shard(source, inputs, shard, _named(kept_schema(folder)))
    if rows.digest != index.shards[shard.index].digest:
        names = ", ".join(dict.fromkeys(inputs[part.input].uri for part in shard.slices))
        raise NocturnaError(f"{names}: changed while the run was going on; run again")
    named = pq.read_table(index_path(folder, shard.index))
    documents = rows.documents.set_column(0, DOCUMENT_SCHEMA.field("doc_id"), named["doc_id"])
    documents = documents.filter(pc.is_in(named["disposition"], pa.array(DISPOSED)))
    return ShardRows(documents, read_rejects(folder, shard.index), rows.digest, rows.types)


def _named(kept: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_name(kept_name(field.name)) for field in kept])


def _check_unchanged(source: Source, inputs: Sequence[InputFile]) -> None:
    """Proves that what was read is what the plan names."""
    for item in inputs:
        if fingerprint(source, item.uri) != item.fingerprint:
            raise NocturnaError(f"{item.uri}: changed while it was being read; run again")


def _index_table(index: int, documents: pa.Table, lists: Sequence[str]) -> pa.Table:
    count = documents.num_rows
    first_names = pc.binary_join_element_wise(documents["content_hash"], "1", "-")
    codes = documents["error_code"]
    table = pa.table(
        [
            pa.array([index] * count, pa.int32()),
            pa.array(range(count), pa.int32()),
            pc.coalesce(documents["doc_id"], first_names),
            documents["content_hash"],
            documents["source_uri"],
            documents["source_row"],
            pc.if_else(pc.is_null(codes), "score", "failed"),
            codes,
        ],
        schema=INDEX_SCHEMA,
    )
    for name in documents.column_names[len(DOCUMENT_SCHEMA) :]:
        values = documents[name]
        table = table.append_column(name, stored(values, stored_type(values.type)))
    for name in lists:
        own = label_lists(documents[kept_name(name)])
        labels = pa.array(map(list, own), pa.list_(pa.string()))
        table = table.append_column(f"list.{name}", labels)
    return table


def _retype(path: Path, kept: pa.Schema, rows: ShardRows | None) -> None:
    """Gives the kept columns of a shard the types of the corpus.

    Args:
        rows: the shard, where its own types were several.
    """
    schema = pq.read_schema(path)
    types = {field.name: stored_type(field.type) for field in kept}
    if all(schema.field(name).type == kind for name, kind in types.items()):
        return
    table = pq.read_table(path)
    for name, kind in types.items():
        values = stored(rows.documents[name], kind) if rows else converted(table[name], kind)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    write_table(table, path)
