"""What the reading of a corpus found, in counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Repeat:
    """The first id that the corpus has twice, for the line that says so."""

    doc_id: str
    first_uri: str
    first_row: int
    again_uri: str
    again_row: int


@dataclass(frozen=True)
class IndexSummary:
    """What the corpus holds; `read = documents + rejected + superseded`.

    Attributes:
        read: rows read.
        documents: rows that become rows of the results, scored or failed.
        failed: how many of the documents cannot be scored, by error code.
        rejected: rows for the quarantine.
        reasons: how many rows are rejected, by reason; duplicates are `duplicate_id`.
        duplicates: rows rejected because their id is taken.
        id_column: the column that holds the ids, or None.
        example: the first repeated id.
        superseded: rows whose place another row of their id took, as the source asked.
        chunks: chunks of the index.
    """

    read: int
    documents: int
    failed: dict[str, int]
    rejected: int
    reasons: dict[str, int]
    duplicates: int
    id_column: str | None
    example: Repeat | None
    superseded: int = 0
    chunks: int = 0
