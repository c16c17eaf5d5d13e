"""A small corpus, or some texts of one of any size, read into memory."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.choosing import list_inputs
from nocturna.tasks.corpus.collector import Collector, Emit
from nocturna.tasks.corpus.copies import without_copies
from nocturna.tasks.corpus.document_tables import REJECT_SCHEMA
from nocturna.tasks.corpus.first_look import check_whole
from nocturna.tasks.corpus.kept_types import with_kept_types
from nocturna.tasks.corpus.one_input import read_input
from nocturna.tasks.corpus.opened_archives import let_go
from nocturna.tasks.job.source import Source


def read_in_memory(source: Source) -> tuple[pa.Table, pa.Table]:
    """The documents of a corpus with its kept columns, and its rejects; see `Collector`.

    Raises:
        UsageError: there is nothing to read, or it cannot be read, or a column is missing.
        Transient: a store does not answer.
    """
    documents: list[pa.Table] = []
    rejects: list[pa.Table] = []

    def keep(some: pa.Table, bad: pa.Table) -> None:
        documents.append(some)
        rejects.append(bad)

    types = read_through(source, keep).types.schema()
    return (
        pa.concat_tables(
            [with_kept_types(table, types) for table in documents], promote_options="default"
        ),
        pa.concat_tables([REJECT_SCHEMA.empty_table(), *rejects]),
    )


def find_texts(source: Source, hashes: Collection[str]) -> dict[str, str]:
    """The texts of a corpus that have one of these content hashes, by their hash.

    Raises:
        UsageError, Transient: as `read_in_memory`.
    """
    wanted, found = pa.array(sorted(hashes), pa.string()), dict[str, str]()

    def keep(some: pa.Table, _: pa.Table) -> None:
        there = some.filter(pc.is_in(some["content_hash"], wanted))
        pairs = zip(there["content_hash"].to_pylist(), there["text"].to_pylist(), strict=True)
        found.update((digest, text) for digest, text in pairs if text is not None)

    read_through(source, keep)
    return found


def read_through(source: Source, keep: Emit) -> Collector:
    """Reads a corpus once, a chunk after the other; see `Collector`.

    Raises:
        UsageError, Transient: as `read_in_memory`.
    """
    rows = Collector(source, keep)
    listed = without_copies(source, list_inputs(source))
    check_whole(rows.asked, [read_input(one, rows) for one in listed])
    rows.finish()
    let_go()
    return rows
