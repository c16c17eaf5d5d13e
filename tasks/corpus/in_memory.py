"""A small corpus, read whole into memory."""

import pyarrow as pa

from nocturna.tasks.corpus.choosing import list_inputs
from nocturna.tasks.corpus.collector import Collector
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

    rows = Collector(source, keep)
    listed = without_copies(source, list_inputs(source))
    check_whole(rows.asked, [read_input(one, rows) for one in listed])
    rows.finish()
    let_go()
    types = rows.types.schema()
    return (
        pa.concat_tables(
            [with_kept_types(table, types) for table in documents], promote_options="default"
        ),
        pa.concat_tables([REJECT_SCHEMA.empty_table(), *rejects]),
    )
