"""The frozen description of a corpus: its input files and the shards they are cut into."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputFile:
    """One input as it was when the run was planned.

    Attributes:
        uri: an absolute local path, or a URI without credentials and query string.
        format: jsonl, json, csv, tsv, parquet, arrow, text or files (a document a file).
        compression: gzip, zstd or None.
        size: bytes as stored.
        fingerprint: `sha256:...` of the stored bytes, `etag:...` where the store gives one, or
            `mtime:...` where it gives no more than a time.
        name: the path inside the folder or glob that was given; names the documents of `files`.
    """

    uri: str
    format: str
    compression: str | None
    size: int
    fingerprint: str
    name: str


@dataclass(frozen=True)
class Slice:
    """A stretch of one input that ends where a record ends.

    Attributes:
        input: position of the input file in the plan.
        start, stop: byte offsets in the decompressed stream for jsonl, json, csv, tsv and text,
            row numbers from 0 for parquet and arrow, 0 and 1 for files; stop is exclusive.
        first_row: `source_row` of the first record, from 1: a line number for jsonl, csv, tsv and
            text, the number of the value for json, a row number for the others.
        rows: records in it, good and bad together.
    """

    input: int
    start: int
    stop: int
    first_row: int
    rows: int


@dataclass(frozen=True)
class Shard:
    """A frozen part of the corpus: the unit of work, retry and resume.

    Attributes:
        index: position in the plan, from 0.
        slices: in corpus order; several where inputs are small.
        rows: rows that reading it must yield, good and bad together.
    """

    index: int
    slices: tuple[Slice, ...]
    rows: int


MISSING = object()
"""Stands for a value whose key a row does not have."""

RAW_BYTES = 4096
"""Bytes of a rejected row that the quarantine keeps."""

MAX_RECORD = 64 * 1024 * 1024
"""Longest line, CSV record or document file, in bytes; longer ones are rejected unread."""
