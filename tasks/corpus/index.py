"""The index of a corpus: every row read once before any model runs.

It gives each document its final id, finds repeated ids across the whole corpus, counts what cannot
be read, and remembers a digest of each shard so that a later reading can be proven to be the same.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.control import go_on
from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, REJECT_SCHEMA, ShardRows
from nocturna.tasks.corpus.input_files import InputFile, Shard
from nocturna.tasks.corpus.kept import label_lists, stored, stored_type, with_types
from nocturna.tasks.corpus.read_shard import read_shard
from nocturna.tasks.corpus.repeats import find_repeats
from nocturna.tasks.corpus.storage import fingerprint
from nocturna.tasks.corpus.summary import IndexSummary, Repeat, ShardIndex
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
        pa.field("disposition", pa.string()),  # score, failed or duplicate_id
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
    that content it is. Of documents with the same id the first stays, later ones are rejected.
    The kept columns are in it too, as `kept.<column>`, so that a night sees which have changed.

    Args:
        lists: kept columns that hold the labels of each document; in it as `list.<column>`.

    Raises:
        UsageError: if an input cannot be read or a kept column changes its type between inputs.
        NocturnaError: if an input changed since it was planned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("index-*.parquet"), *folder.glob("rejects-*.parquet")):
        old.unlink()
    failed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    entries: list[ShardIndex] = []
    kept = pa.schema([])
    named = False
    for shard in shards:
        go_on()
        rows = read_shard(source, inputs, shard)
        kept = with_types(kept, rows.documents.schema, inputs[shard.slices[0].input].uri)
        named = named or rows.documents["doc_id"].null_count < rows.documents.num_rows
        failed.update(_counts(rows.documents["error_code"]))
        reasons.update(_counts(rows.rejects["reason"]))
        table = _index_table(shard.index, rows.documents, lists)
        _write(table, _index_path(folder, shard.index))
        _write(rows.rejects, _rejects_path(folder, shard.index))
        bad = rows.rejects.num_rows
        entries.append(ShardIndex(shard.index, shard.rows, shard.rows - bad, bad, rows.digest))
    _check_unchanged(source, inputs)
    example = None
    for index, repeats in find_repeats(folder, by_id=named):
        table = pq.read_table(_index_path(folder, index))
        if named:
            again = table.take(repeats["position"])
            example = example or _example(again, repeats)
            _reject_repeats(folder, inputs, shards[index], again, repeats)
            table = _marked(table, repeats)
            failed.subtract(_counts(again["error_code"]))
            reasons["duplicate_id"] += repeats.num_rows
            entries[index] = _less(entries[index], repeats.num_rows)
        else:
            table = _numbered(table, repeats)
        _write(table, _index_path(folder, index))
    pq.write_metadata(kept, folder / _KEPT)
    read = sum(entry.rows for entry in entries)
    rejected = sum(entry.rejected for entry in entries)
    return IndexSummary(
        read=read,
        documents=read - rejected,
        failed={code: n for code, n in sorted(failed.items()) if n},
        rejected=rejected,
        reasons={reason: n for reason, n in sorted(reasons.items()) if n},
        duplicates=reasons["duplicate_id"],
        id_column=source.id,
        example=example,
        shards=tuple(entries),
    )


def kept_schema(folder: Path) -> pa.Schema:
    """The kept columns of an index, each with one type for the whole corpus."""
    return pq.read_schema(folder / _KEPT).remove_metadata()


def read_rejects(folder: Path, shard: int) -> pa.Table:
    """The rows of a shard that could not be read, or whose id another row has."""
    return pq.read_table(_rejects_path(folder, shard))


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
    rows = read_shard(source, inputs, shard)
    if rows.digest != index.shards[shard.index].digest:
        names = ", ".join(dict.fromkeys(inputs[part.input].uri for part in shard.slices))
        raise NocturnaError(f"{names}: changed while the run was going on; run again")
    named = pq.read_table(_index_path(folder, shard.index))
    documents = rows.documents.set_column(0, DOCUMENT_SCHEMA.field("doc_id"), named["doc_id"])
    documents = documents.filter(pc.not_equal(named["disposition"], "duplicate_id"))
    documents = documents.cast(pa.schema([*DOCUMENT_SCHEMA, *kept_schema(folder)]))
    return ShardRows(documents, read_rejects(folder, shard.index), rows.digest)


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _check_unchanged(source: Source, inputs: Sequence[InputFile]) -> None:
    """Proves that what was read is what the plan names."""
    for item in inputs:
        if fingerprint(source, item.uri) != item.fingerprint:
            raise NocturnaError(f"{item.uri}: changed while it was being read; run again")


def _index_path(folder: Path, index: int) -> Path:
    return folder / f"index-{index:06}.parquet"


def _rejects_path(folder: Path, index: int) -> Path:
    return folder / f"rejects-{index:06}.parquet"


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
        table = table.append_column(f"kept.{name}", stored(values, stored_type(values.type)))
    for name in lists:
        labels = pa.array(map(list, label_lists(documents[name])), pa.list_(pa.string()))
        table = table.append_column(f"list.{name}", labels)
    return table


def _numbered(table: pa.Table, repeats: pa.Table) -> pa.Table:
    names = table["doc_id"].to_pylist()
    hashes = table["content_hash"].to_pylist()
    for position, n in _pairs(repeats, "position", "n"):
        names[position] = f"{hashes[position]}-{n}"
    return _replaced(table, "doc_id", names)


def _marked(table: pa.Table, repeats: pa.Table) -> pa.Table:
    dispositions = table["disposition"].to_pylist()
    for position in repeats["position"].to_pylist():
        dispositions[position] = "duplicate_id"
    return _replaced(table, "disposition", dispositions)


def _reject_repeats(
    folder: Path, inputs: Sequence[InputFile], shard: Shard, again: pa.Table, repeats: pa.Table
) -> None:
    ids = again["doc_id"].to_pylist()
    messages = [
        f"the id {doc_id[:80]!r} is already that of {uri}, row {row}"
        for doc_id, (uri, row) in zip(ids, _pairs(repeats, "first_uri", "first_row"), strict=True)
    ]
    duplicates = pa.table(
        [
            again["source_uri"],
            again["source_row"],
            pa.nulls(len(ids), pa.int64()),
            pa.repeat(pa.scalar("duplicate_id"), len(ids)),
            pa.array(messages, pa.string()),
            pa.array([doc_id.encode() for doc_id in ids], pa.binary()),
        ],
        schema=REJECT_SCHEMA,
    )
    path = _rejects_path(folder, shard.index)
    rejects = pa.concat_tables([pq.read_table(path), duplicates])
    order = {inputs[part.input].uri: place for place, part in enumerate(shard.slices)}
    places = [(order[uri], row) for uri, row in _pairs(rejects, "source_uri", "source_row")]
    _write(rejects.take(sorted(range(len(places)), key=places.__getitem__)), path)


def _example(again: pa.Table, repeats: pa.Table) -> Repeat:
    new, old = again.slice(0, 1).to_pylist()[0], repeats.slice(0, 1).to_pylist()[0]
    return Repeat(
        new["doc_id"], old["first_uri"], old["first_row"], new["source_uri"], new["source_row"]
    )


def _less(entry: ShardIndex, count: int) -> ShardIndex:
    return replace(entry, documents=entry.documents - count, rejected=entry.rejected + count)


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    counts = pc.value_counts(column.drop_null().combine_chunks())
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}


def _pairs(table: pa.Table, a: str, b: str) -> Iterator[tuple[Any, Any]]:
    return zip(table[a].to_pylist(), table[b].to_pylist(), strict=True)


def _replaced(table: pa.Table, name: str, values: list[str]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(
        at, table.schema.field(at), pa.array(values, table.schema.field(at).type)
    )
