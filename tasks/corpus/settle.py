"""What becomes of rows that have one id, or one text where documents bring no id."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import REJECT_SCHEMA
from nocturna.tasks.corpus.index_files import counts_of, index_path, rejects_path, write_table
from nocturna.tasks.corpus.input_files import InputFile, Shard
from nocturna.tasks.corpus.repeats import find_repeats
from nocturna.tasks.corpus.summary import Repeat, ShardIndex

REPEATED, SUPERSEDED = "duplicate_id", "superseded"


@dataclass
class Settled:
    """What changed where ids repeat.

    Attributes:
        example: the first of them.
        failed: failed rows among those that are no documents any more, by error code.
        rejected: rows that went into the rejects, by shard.
        superseded: rows that others took the place of, by shard.
    """

    example: Repeat | None = None
    failed: Counter[str] = field(default_factory=Counter)
    rejected: Counter[int] = field(default_factory=Counter)
    superseded: Counter[int] = field(default_factory=Counter)

    @property
    def rejected_reasons(self) -> dict[str, int]:
        return {REPEATED: self.rejected.total()}

    def applied(self, entry: ShardIndex) -> ShardIndex:
        """What a shard holds now."""
        rejected, superseded = self.rejected[entry.index], self.superseded[entry.index]
        return replace(
            entry,
            documents=entry.documents - rejected - superseded,
            rejected=entry.rejected + rejected,
            superseded=superseded,
        )


def settle_repeats(
    folder: Path, inputs: Sequence[InputFile], shards: Sequence[Shard], named: bool, on_repeat: str
) -> Settled:
    """Settles the repeats of an index in its files.

    Args:
        named: whether documents bring ids; otherwise those of one text are numbered.
        on_repeat: `error` rejects all but the first row of an id, `first` and `last` say which row
            takes the place of the others.
    """
    settled = Settled()
    for index, repeats in find_repeats(folder, by_id=named, last=named and on_repeat == "last"):
        path = index_path(folder, index)
        table = pq.read_table(path)
        if not named:
            write_table(_numbered(table, repeats), path)
            continue
        again = table.take(repeats["position"])
        settled.failed.update(counts_of(again["error_code"]))
        if on_repeat == "error":
            settled.example = settled.example or _example(again, repeats)
            _reject(folder, inputs, shards[index], again, repeats)
        counts = settled.rejected if on_repeat == "error" else settled.superseded
        counts[index] += repeats.num_rows
        fate = REPEATED if on_repeat == "error" else SUPERSEDED
        write_table(_marked(table, repeats, fate), path)
    return settled


def _numbered(table: pa.Table, repeats: pa.Table) -> pa.Table:
    names = table["doc_id"].to_pylist()
    hashes = table["content_hash"].to_pylist()
    for position, n in _pairs(repeats, "position", "n"):
        names[position] = f"{hashes[position]}-{n}"
    return _replaced(table, "doc_id", names)


def _marked(table: pa.Table, repeats: pa.Table, fate: str) -> pa.Table:
    dispositions = table["disposition"].to_pylist()
    for position in repeats["position"].to_pylist():
        dispositions[position] = fate
    return _replaced(table, "disposition", dispositions)


def _reject(
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
            pa.repeat(pa.scalar(REPEATED), len(ids)),
            pa.array(messages, pa.string()),
            pa.array([doc_id.encode() for doc_id in ids], pa.binary()),
        ],
        schema=REJECT_SCHEMA,
    )
    path = rejects_path(folder, shard.index)
    rejects = pa.concat_tables([pq.read_table(path), duplicates])
    order = {inputs[part.input].uri: place for place, part in enumerate(shard.slices)}
    places = [(order[uri], row) for uri, row in _pairs(rejects, "source_uri", "source_row")]
    write_table(rejects.take(sorted(range(len(places)), key=places.__getitem__)), path)


def _example(again: pa.Table, repeats: pa.Table) -> Repeat:
    new, old = again.slice(0, 1).to_pylist()[0], repeats.slice(0, 1).to_pylist()[0]
    return Repeat(
        new["doc_id"], old["first_uri"], old["first_row"], new["source_uri"], new["source_row"]
    )


def _pairs(table: pa.Table, a: str, b: str) -> Iterator[tuple[Any, Any]]:
    return zip(table[a].to_pylist(), table[b].to_pylist(), strict=True)


def _replaced(table: pa.Table, name: str, values: list[str]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(
        at, table.schema.field(at), pa.array(values, table.schema.field(at).type)
    )
