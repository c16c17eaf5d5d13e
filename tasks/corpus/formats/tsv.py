"""Tab-separated values: a record a row."""

from nocturna.tasks.corpus.delimited_rows import columns, has_rows, names, other, read

__all__ = ["columns", "has_rows", "names", "other", "read"]

NAMES = ("tsv", ".tsv", ".tab")
ABOUT = "a record behind the header, fields separated by tabs"
PACKED = True
