"""What becomes of rows that have one id, or one text where documents bring no id."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import REJECT_SCHEMA
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.lots import index_file, rejects_file
from nocturna.tasks.corpus.repeats import find_repeats
from nocturna.tasks.corpus.staged_rows import counts_of, rewrite
from nocturna.tasks.corpus.summary import Repeat

REPEATED, SUPERSEDED = "duplicate_id", "superseded"


@dataclass
class Settled:
    """What changed where ids repeat.

    Attributes:
        example: the first of them.
        failed: failed rows among those that are no documents any more, by error code.
        rejected: rows that went into the rejects.
        superseded: rows that others took the place of.
    """

    example: Repeat | None = None
    failed: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    superseded: int = 0

    @property
    def rejected_reasons(self) -> dict[str, int]:
        return {REPEATED: self.rejected}


def settle_repeats(
    folder: Path, inputs: Sequence[InputFile], named: bool, on_repeat: str
) -> Settled:
    """Settles the repeats of an index in its files.

    Args:
        named: whether documents bring ids; otherwise those of one text are numbered.
        on_repeat: `error` rejects all but the first row of an id, `first` and `last` say which row
            takes the place of the others, in the order of the inputs' names, in which `part-2`
            stands before `part-10`; in a table, whose files have names without a meaning, in that
            of the time at which it got them.
    """
    settled = Settled()
    uris = [item.uri for item in sorted(inputs, key=_place)] if named else []
    for chunk, repeats in find_repeats(folder, named, named and on_repeat == "last", uris):
        path = index_file(folder, chunk)
        table = pq.read_table(path)
        if not named:
            rewrite(_numbered(table, repeats), path)
            continue
        again = table.take(repeats["position"])
        settled.failed.update(counts_of(again["error_code"]))
        if on_repeat == "error":
            settled.example = settled.example or _example(again, repeats)
            settled.rejected += repeats.num_rows
            _reject(rejects_file(folder, chunk), inputs, again, repeats)
        else:
            settled.superseded += repeats.num_rows
        fate = REPEATED if on_repeat == "error" else SUPERSEDED
        rewrite(_with(table, "disposition", repeats, pa.repeat(fate, repeats.num_rows)), path)
    return settled


def _place(item: InputFile) -> tuple[int, list[Any], str]:
    """What the rows of inputs are put in order by: a name counts with its numbers by their size."""
    parts = [int(part) if at % 2 else part for at, part in enumerate(re.split(r"(\d+)", item.name))]
    return item.since, parts, item.name


def _numbered(table: pa.Table, repeats: pa.Table) -> pa.Table:
    hashes = table["content_hash"].take(repeats["position"])
    names = pc.binary_join_element_wise(hashes, repeats["n"].cast(pa.string()), "-")
    return _with(table, "doc_id", repeats, names)


def _with(
    table: pa.Table, name: str, repeats: pa.Table, values: pa.Array | pa.ChunkedArray
) -> pa.Table:
    """A table in which the rows that repeat have other values in a column."""
    at = table.schema.get_field_index(name)
    mask = np.zeros(table.num_rows, dtype=bool)
    mask[repeats["position"].to_numpy()] = True
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    replaced = pc.replace_with_mask(table[name].combine_chunks(), pa.array(mask), values)
    return table.set_column(at, table.schema.field(at), replaced)


def _reject(path: Path, inputs: Sequence[InputFile], again: pa.Table, repeats: pa.Table) -> None:
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
    rejects = pa.concat_tables([pq.read_table(path), duplicates])
    order = {item.uri: place for place, item in enumerate(inputs)}
    places = [(order[uri], row) for uri, row in _pairs(rejects, "source_uri", "source_row")]
    rewrite(rejects.take(sorted(range(len(places)), key=places.__getitem__)), path)


def _example(again: pa.Table, repeats: pa.Table) -> Repeat:
    new, old = again.slice(0, 1).to_pylist()[0], repeats.slice(0, 1).to_pylist()[0]
    return Repeat(
        new["doc_id"], old["first_uri"], old["first_row"], new["source_uri"], new["source_row"]
    )


def _pairs(table: pa.Table, a: str, b: str) -> Iterator[tuple[Any, Any]]:
    return zip(table[a].to_pylist(), table[b].to_pylist(), strict=True)
