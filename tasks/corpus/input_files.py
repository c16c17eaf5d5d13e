"""The input files of a corpus, as they were when they were read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputFile:
    """One input.

    Attributes:
        uri: an absolute local path, a URI without credentials and query string, or
            `zip://member::archive`.
        format: name of its format.
        compression: gzip, zstd, bzip2, xz or None.
        size: bytes as stored.
        fingerprint: `sha256:...` of the stored bytes, `etag:...` where the store gives one, or
            `mtime:...` where it gives no more than a time.
        name: the path inside the folder or glob that was given; names the documents of `files`.
        rows: records in it, good and bad together.
        fixed: columns beside those of the file that have one value in all of its rows, as
            `log_tables` writes them; empty once it is read.
        stored: bytes that it takes in an archive that is packed; None of other files.
        since: when its table got it, in milliseconds since 1970; 0 of other files.
    """

    uri: str
    format: str
    compression: str | None
    size: int
    fingerprint: str
    name: str
    rows: int = 0
    fixed: str = ""
    stored: int | None = None
    since: int = 0


MISSING = object()
"""Stands for a value whose key a row does not have."""

RAW_BYTES = 4096
"""Bytes of a rejected row that the quarantine keeps."""

MAX_RECORD = 64 * 1024 * 1024
"""Longest line, CSV record or document file, in bytes; longer ones are rejected unread."""
